/* failure_table: FAILURE(id, name, next_target, counts_against_health, doc). */
FAILURE(NONE, "none", false, false, "The attempt succeeded or has not ended.")
FAILURE(CONNECT, "connect", true, true, "DNS or TCP: refused, unreachable, or an unknown host.")
FAILURE(NO_DESCRIPTOR, "no_descriptor", true, false, "The gateway had no file descriptor left for a connection.")
FAILURE(CONNECT_TIMEOUT, "connect_timeout", true, true, "No connection within timeouts.connect.")
FAILURE(TLS, "tls", true, true, "Handshake or certificate verification.")
FAILURE(TLS_TIMEOUT, "tls_timeout", true, true, "The handshake was not done within timeouts.tls.")
FAILURE(UPLOAD_TIMEOUT, "upload_timeout", true, true,
        "The provider took nothing more of the request for timeouts.upload.")
FAILURE(FIRST_TOKEN_TIMEOUT, "first_token_timeout", true, true, "No content before timeouts.first_token.")
FAILURE(IDLE_TIMEOUT, "between_tokens_timeout", true, true, "No content for timeouts.between_tokens.")
FAILURE(TOKEN_RATE, "too_few_tokens", true, true, "Fewer tokens than timeouts.min_tokens_per_s.")
FAILURE(FIRST_BYTE_TIMEOUT, "first_byte_timeout", true, true, "No byte of a whole answer before timeouts.first_byte.")
FAILURE(BETWEEN_BYTES_TIMEOUT, "between_bytes_timeout", true, true,
        "No further byte of a whole answer for timeouts.between_bytes.")
FAILURE(TOTAL_TIMEOUT, "total_timeout", true, true, "The attempt was not complete after timeouts.total.")
FAILURE(RESET, "reset", true, true, "The connection was lost before the answer was complete.")
FAILURE(BAD_ANSWER, "bad_answer", true, true, "The answer broke HTTP or is not what the dialect promises.")
FAILURE(REDIRECT, "redirect", true, false, "A 3xx answer; never followed.")
FAILURE(RATE_LIMITED, "rate_limited", true, true, "429 that means capacity.")
FAILURE(QUOTA, "quota", true, false, "402, or a 429 that means money: quota or credit used up.")
FAILURE(OVERLOADED, "overloaded", true, true, "503, 529, or an overloaded error.")
FAILURE(SERVER_ERROR, "server_error", true, true, "500, 502, 504 and other 5xx.")
FAILURE(AUTH, "auth", true, false, "401 or 403: the provider refuses the gateway's key.")
FAILURE(NOT_FOUND, "not_found", true, false, "404: the provider does not know the model.")
FAILURE(REQUEST_TIMEOUT, "request_timeout", true, true, "408 or 409.")
FAILURE(CONTEXT_LENGTH, "context_length", false, false, "The prompt is longer than the model takes.")
FAILURE(CONTENT_POLICY, "content_policy", false, false, "The provider refuses the content.")
FAILURE(INVALID, "invalid", false, false, "400, 413, 422: the request itself is at fault.")
FAILURE(STREAM_ERROR, "stream_error", true, true,
        "An error frame inside a 200 stream that tells no other class, or came after content.")
FAILURE(UNTRANSLATABLE, "untranslatable", true, false, "The request cannot be carried to this target's dialect.")
FAILURE(LOSSY, "lossy", true, false,
        "`strict` is on, and the target's API cannot carry all of the request; it was not called.")
FAILURE(UNPRICED, "unpriced", true, false,
        "The target has no price, and `unknown_price` is \"deny\"; it was not called.")
FAILURE(SCRIPT, "script", true, false, "An adapter's hook failed.")
FAILURE(HEDGE_LOST, "hedge_lost", false, false,
        "The other attempt of a hedged request had its first content before this one, which was cancelled.")
FAILURE(CLIENT_GONE, "client_gone", false, false, "The client left; the attempt was cancelled.")
FAILURE(DRAINING, "draining", false, false,
        "The gateway stopped while a client still waited for the answer; the attempt was cancelled.")
