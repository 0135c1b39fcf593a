/* fault_table: FAULT(id, code, status, openai_type, anthropic_type, summary, advice), included with FAULT defined.
 * Codes are a promise to clients: add rows, never rename. */
FAULT(BAD_HTTP, "bad_http", 400, "invalid_request_error", "invalid_request_error",
      "The request breaks HTTP/1.1 in a way that two servers could read differently.",
      "Use a standard HTTP client; the connection was closed.")
FAULT(HEAD_TOO_SLOW, "request_timeout", 408, "invalid_request_error", "invalid_request_error",
      "The request's head or body did not arrive in time.",
      "Send the request again, or raise limits.head_time and limits.body_time.")
FAULT(BODY_TOO_LARGE, "body_too_large", 413, "invalid_request_error", "request_too_large",
      "The body is larger than limits.body.", "Send less, or ask the operator to raise limits.body.")
FAULT(TARGET_TOO_LONG, "target_too_long", 414, "invalid_request_error", "invalid_request_error",
      "The request line's target is longer than 8 KiB.", "Put parameters into the body.")
FAULT(HEADERS_TOO_LARGE, "headers_too_large", 431, "invalid_request_error", "invalid_request_error",
      "The head is larger than limits.head, or has more than 100 headers.", "Send fewer and shorter headers.")
FAULT(EXPECTATION, "expectation_failed", 417, "invalid_request_error", "invalid_request_error",
      "The Expect header asks for something other than 100-continue.", "Leave the Expect header out.")
FAULT(TRANSFER_CODING, "transfer_coding_unknown", 501, "invalid_request_error", "invalid_request_error",
      "The Transfer-Encoding is not chunked.", "Send a Content-Length or use chunked.")
FAULT(NOT_A_PROXY, "not_a_proxy", 501, "invalid_request_error", "invalid_request_error",
      "The request asks for a tunnel (CONNECT): its client takes the gateway for a forward proxy.",
      "Set the gateway as the client's base URL, and as no proxy (HTTPS_PROXY, HTTP_PROXY).")
FAULT(HTTP_VERSION, "http_version_unsupported", 505, "invalid_request_error", "invalid_request_error",
      "The request is neither HTTP/1.1 nor HTTP/1.0.", "Use HTTP/1.1.")
FAULT(NOT_FOUND, "endpoint_not_found", 404, "invalid_request_error", "not_found_error", "No endpoint has this path.",
      "The manual lists the endpoints; chat is POST /v1/chat/completions, /v1/responses, /v1/messages or /v2/chat.")
FAULT(METHOD, "method_not_allowed", 405, "invalid_request_error", "invalid_request_error",
      "The endpoint does not take this method.", "See the Allow header.")
FAULT(CONTENT_TYPE, "content_type_unsupported", 415, "invalid_request_error", "invalid_request_error",
      "The body is not of the type that the endpoint takes (JSON, for some a form), or it is compressed.",
      "Send it plain, as application/json or, to endpoints that take files, as multipart/form-data.")
FAULT(KEY_MISSING, "key_missing", 401, "authentication_error", "authentication_error", "The request carries no key.",
      "Send `authorization: Bearer KEY` or `x-api-key: KEY`.")
FAULT(KEY_INVALID, "key_invalid", 401, "authentication_error", "authentication_error",
      "The key is not one of this gateway's.",
      "Use a key that this gateway's operator gave you; provider keys stay on the gateway.")
FAULT(KEY_AMBIGUOUS, "key_ambiguous", 401, "authentication_error", "authentication_error",
      "The request carries two different keys, or one header twice.", "Send exactly one key.")
FAULT(BAD_JSON, "bad_json", 400, "invalid_request_error", "invalid_request_error",
      "The body is not strict JSON, nests deeper than 128, or names a top-level field twice.",
      "Mend the JSON at the named position.")
FAULT(BAD_FORM, "bad_form", 400, "invalid_request_error", "invalid_request_error",
      "The body is not multipart/form-data as its content-type announces it.", "Let an HTTP client build the form.")
FAULT(FIELD_INVALID, "field_invalid", 400, "invalid_request_error", "invalid_request_error",
      "A field is missing, has the wrong type, or cannot be carried to the chosen provider.", "Mend the named field.")
FAULT(LOSSY, "fields_not_carried", 400, "invalid_request_error", "invalid_request_error",
      "`strict` is on, and the chosen provider's API cannot carry every field as it stands.",
      "Leave the named fields out, choose another model, or switch strict off.")
FAULT(MODEL_UNKNOWN, "model_not_found", 404, "invalid_request_error", "not_found_error",
      "`model` names no route, no provider/model and no known model.", "GET /v1/models lists what this key may use.")
FAULT(MODEL_FORBIDDEN, "model_forbidden", 403, "permission_error", "permission_error",
      "The key may not use this model or route.", "GET /v1/models lists what this key may use.")
FAULT(MODEL_UNPRICED, "model_unpriced", 403, "permission_error", "permission_error",
      "No target has a price, and the config has unknown_price = \"deny\".", "The operator adds the model to `prices`.")
FAULT(PROVIDER_UNKNOWN, "provider_not_found", 404, "invalid_request_error", "not_found_error",
      "The path or x-moongate-provider names a provider that is not configured, or none serves this endpoint.",
      "Use the name of a provider in the gateway's config whose API has this endpoint.")
FAULT(RESPONSE_UNKNOWN, "response_not_found", 404, "invalid_request_error", "not_found_error",
      "No answer of this id is kept for this key (any more), and no provider is configured that could have it.",
      "Keep what you need of an answer: it is kept for limits.kept_answers_time, for the team that asked for it.")
FAULT(PROVIDER_NEEDED, "provider_needed", 400, "invalid_request_error", "invalid_request_error",
      "The request names no model, and several providers could take it.",
      "Send the header `x-moongate-provider: NAME`.")
FAULT(REFUSED_BY_POLICY, "refused_by_policy", 403, "permission_error", "permission_error",
      "The route's policy refused the request (gw.refuse).", "The message gives the policy's reason.")
FAULT(SCRIPT_FAILED, "script_failed", 500, "server_error", "api_error", "A script failed while it handled the request.",
      "The operator finds file, line and reason in the gateway's log under this request id.")
FAULT(NO_TARGET, "no_target", 503, "server_error", "overloaded_error", "The policy gave no target that can be tried.",
      "Try again later; the operator sees why in the trace record.")
FAULT(PROVIDER_UNREACHABLE, "provider_unreachable", 502, "server_error", "api_error",
      "No provider in the plan could be connected to.", "Try again; the trace record names each attempt.")
FAULT(CONNECT_TIMEOUT, "connect_timeout", 504, "server_error", "timeout_error",
      "The provider could not be connected to within timeouts.connect.",
      "Try again; the trace record names each attempt.")
FAULT(TLS_TIMEOUT, "tls_timeout", 504, "server_error", "timeout_error",
      "The TLS handshake with the provider was not done within timeouts.tls.",
      "Try again; the trace record names each attempt.")
FAULT(UPLOAD_TIMEOUT, "upload_timeout", 504, "server_error", "timeout_error",
      "The provider took nothing more of the request for timeouts.upload.", "Try again, or raise timeouts.upload.")
FAULT(FIRST_TOKEN_TIMEOUT, "first_token_timeout", 504, "server_error", "timeout_error",
      "The provider's stream had no content within timeouts.first_token; pings do not count.",
      "Try again, or raise timeouts.first_token for models that think for long.")
FAULT(BETWEEN_TOKENS_TIMEOUT, "between_tokens_timeout", 504, "server_error", "timeout_error",
      "The provider's stream stood still for timeouts.between_tokens; pings do not count.",
      "Try again, or raise timeouts.between_tokens.")
FAULT(TOO_FEW_TOKENS, "too_few_tokens", 504, "server_error", "timeout_error",
      "The provider's stream was slower than timeouts.min_tokens_per_s.",
      "Try again, or lower timeouts.min_tokens_per_s.")
FAULT(FIRST_BYTE_TIMEOUT, "first_byte_timeout", 504, "server_error", "timeout_error",
      "Nothing of the provider's whole answer came within timeouts.first_byte; white space does not count.",
      "Try again, ask for a stream, or raise timeouts.first_byte for models that think for long.")
FAULT(BETWEEN_BYTES_TIMEOUT, "between_bytes_timeout", 504, "server_error", "timeout_error",
      "The provider's whole answer stood still for timeouts.between_bytes behind its head.",
      "Try again, or raise timeouts.between_bytes.")
FAULT(TOTAL_TIMEOUT, "total_timeout", 504, "server_error", "timeout_error",
      "The provider's answer was not complete within timeouts.total.", "Try again, or raise timeouts.total.")
FAULT(PROVIDER_BROKEN, "provider_broken", 502, "server_error", "api_error",
      "The provider's answer was cut off, broke HTTP, or was not what its API promises.",
      "Try again; the trace record names each attempt.")
FAULT(PROVIDER_REDIRECT, "upstream_redirect", 502, "server_error", "api_error",
      "The provider answered with a redirect; the gateway never follows one.", "Correct the provider's base_url.")
FAULT(PROVIDER_FAILED, "provider_failed", 502, "server_error", "api_error",
      "The provider reported an error within its stream.", "Try again; the message gives the provider's reason.")
FAULT(
    OVERLOADED, "overloaded", 503, "server_error", "overloaded_error",
    "More is asked of the gateway than `limits`, a team's or a provider's `max_in_flight` allow, and no more may wait.",
    "Try again after the time in Retry-After.")
FAULT(QUEUE_TIMEOUT, "queue_timeout", 504, "server_error", "timeout_error",
      "The request waited for its route's queue_time, or limits.queue_time, and no place came free.",
      "Try again after the time in Retry-After.")
FAULT(DRAINING, "draining", 503, "server_error", "overloaded_error", "The gateway is shutting down.",
      "Send the request again; another instance will take it.")
