/* trace_table: every field of a trace record, in its order: FIELD(name, type, put, doc). `put` is what writes the
 * value, with out and r in reach; the manual is generated from name, type and doc. Names of the first block are a
 * promise to whoever reads the log. */
FIELD("request_id", "text", put_word(out, slice_of(r->id, REQUEST_ID_BYTES)), "Also the answer's `x-request-id`.")
FIELD("architecture", "text", put_word(out, SLICE("multi-provider-gateway")), "Always this.")
FIELD("route", "text", put_text(out, r->route_name),
      "The route; `direct` when `model` named a target itself, `none` when routing was not reached.")
FIELD("provider_chosen", "text or null", put_provider(out, r, final),
      "Provider of the attempt whose answer the client got, or of the last one tried.")
FIELD("model", "text or null", put_model(out, r, final), "Model of that attempt, as the provider knows it.")
FIELD("fallback_used", "boolean", put_bool(out, final != NULL && (final->target != r->plan[0] || final->resumes)),
      "The answer came, or was gone on with, from another target or attempt than the plan's first.")
FIELD("cache_hit", "boolean", put_bool(out, false), "The answer came from the cache.")
FIELD("input_tokens", "integer", buf_u64(out, r->usage.input_tokens), "Tokens of the prompt, cached ones included.")
FIELD("output_tokens", "integer", buf_u64(out, r->usage.output_tokens), "Tokens of the answer, reasoning included.")
FIELD("latency_ms", "number", put_ms(out, r->ended_ns - r->opened_ns),
      "From the request's first byte to the last byte of the answer handed to the kernel, or until the client left.")
FIELD("cost_usd", "number", put_usd(out, r->cost_pico_usd), "Exact cost of all attempts, by the price table.")
FIELD("ts", "text", put_date(out, r->opened_wall_ms), "When the request came, RFC 3339, UTC.")
FIELD("outcome", "text", put_word(out, slice_text(outcome_name(r->outcome))),
      "`ok`, `refused` (the gateway said no), `failed` (no attempt succeeded, or the answer broke off), "
      "`client_gone`.")
FIELD("status", "integer", buf_u64(out, r->status), "HTTP status the client got; 499 when it left before the end.")
FIELD("error_code", "text or null", put_code(out, r), "The gateway's own error code (errors.md), when it said one.")
FIELD("error", "text or null", put_error(out, r), "What the gateway said, without its advice.")
FIELD("finish_reason", "text or null",
      put_name(out, finish_reason_name(r->source ? r->source->reading.finish : FINISH_NONE)),
      "`stop`, `length`, `tool_calls`, `refusal`, `pause`, `other`.")
FIELD("stream", "boolean", put_bool(out, r->asked.stream), "The client asked for a stream.")
FIELD("dialect", "text", put_word(out, slice_text(r->dialect->name)), "The API the client speaks.")
FIELD("method", "text", put_text(out, r->method), "HTTP method.")
FIELD("operation", "text", put_word(out, slice_text(operation_row(r->endpoint->operation)->name)),
      "What was asked for: `chat`, `embeddings`, … (endpoints.md); `raw` for `/providers/…`; `none`: there is no such"
      " endpoint.")
FIELD("path", "text", put_text(out, r->path), "HTTP path, without query.")
FIELD("model_requested", "text or null", put_name_slice(out, r->asked.model), "`model` as the client sent it.")
FIELD("client", "text", put_text(out, slice_text(r->peer)), "Address of the client's end of the connection.")
FIELD("team", "text or null", put_name(out, r->key && r->key->team ? r->key->team->name : ""),
      "Team of the virtual key.")
FIELD("key", "text or null", put_name(out, r->key ? r->key->name : ""), "Name of the virtual key, never the key.")
FIELD("generation", "integer", buf_u64(out, r->tenure->generation->number),
      "Generation of config and scripts the request ran on.")
FIELD("worker", "integer", buf_u64(out, r->gate->worker), "Worker thread.")
FIELD("ttft_ms", "number or null", put_since(out, r->opened_ns, r->first_content_ns),
      "From the request's first byte to the provider's first content.")
FIELD("overhead_ms", "number", put_ms(out, overhead_ns(r)),
      "The gateway's own share of latency_ms: all but the attempts. Includes the time the client took to send and "
      "to read.")
FIELD("body_ms", "number or null", put_since(out, r->opened_ns, r->ready_ns), "Until the request's body was complete.")
FIELD("route_ms", "number or null", put_since(out, r->ready_ns, r->routed_ns),
      "Validation and routing, the policy included.")
FIELD("queue_ms", "number or null", put_queued(out, r),
      "Waited in the queue for a place (limits.in_flight, max_in_flight).")
FIELD("drained_ms", "number or null", put_drained(out, r),
      "How long its attempts were read on after the client had left (`disconnect`); null: they were not.")
FIELD("bytes_in", "integer", buf_u64(out, r->body_bytes), "Of the request's body.")
FIELD("bytes_out", "integer", buf_u64(out, r->delivery.sent_bytes), "Of the answer, with its head.")
FIELD("coalesced_with", "text or null", put_name_slice(out, coalesced_with(r)),
      "The request whose answer this one was given (`coalesce`): tokens, cost and attempts stand there.")
FIELD("cache_read_tokens", "integer", buf_u64(out, r->usage.cache_read_tokens),
      "Of input_tokens: served by the provider's prompt cache.")
FIELD("cache_write_tokens", "integer", buf_u64(out, r->usage.cache_write_tokens + r->usage.cache_write_1h_tokens),
      "Of input_tokens: written to the provider's prompt cache.")
FIELD("reasoning_tokens", "integer", buf_u64(out, r->usage.reasoning_tokens), "Of output_tokens.")
FIELD("usage_source", "text", put_word(out, usage_source_name(r->usage.source)),
      "`provider`, `estimated` (the provider had all of the request, and did not tell, or not all: what is booked then"
      " is said in [prices](../how-to/prices.md#what-nobody-tells)), `none` (nothing is owed: refused, or never sent"
      " whole).")
FIELD("cost_pico_usd", "integer", buf_i64(out, r->cost_pico_usd), "cost_usd as an integer, 10^-12 dollars.")
FIELD(
    "price_date", "text or null", put_name(out, final && final->target->price ? final->target->price->date : ""),
    "Since when the price holds; null: the model has none, and estimate_price was counted; or it is the config's own.")
FIELD("losses", "list of text", put_list(out, r->losses),
      "Request fields that the chosen provider's dialect could not carry.")
FIELD("skipped", "list", put_skips(out, r->skips),
      "Targets of the plan that were passed over, in order: `provider`, `model`, `why` (`ejected`, `probed`: one other"
      " request asks it, `keys_benched`, `checks_fail`), `left_ms` (until it may be tried again; 0: not known).")
FIELD(
    "attempts", "list", put_attempts(out, r),
    "One entry an attempt, in order: `n` (the provider was told `REQUEST_ID-n` in `x-client-request-id`), `provider`,"
    " `model`, `key` (its reference), `status`, `class` (failures in errors.md), `error`, `waited_ms` (before it,"
    " after the one before), `connect_ms`, `send_ms`, `wait_ms` (to the answer's head), `first_token_ms`, `total_ms`,"
    " `reused` (connection), `resent` (a kept connection was lost after the request was on it: it was sent"
    " again on a new one, and the provider may have seen both), `probe` (true: the one request that asked an ejected"
    " target or a benched key again; else absent), `hedge` (true: sent beside the one before, which was slow to begin; else absent), "
    "`recovered` (true: it went on with an answer that had broken off; else absent), `provider_request_id`, "
    "`input_tokens`, `output_tokens`, `usage_source`, `cost_pico_usd`.")
