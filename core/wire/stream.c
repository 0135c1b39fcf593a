/* stream: see the header. Any thread. */
#include "wire/stream.h"

#include "base/must.h"

static const struct framing_row rows[FRAMING_COUNT] = {
    [FRAMING_SSE] = {"sse", SLICE_INIT("text/event-stream; charset=utf-8"), SLICE_INIT("text/event-stream"),
                     SLICE_INIT(":\n\n")},
    [FRAMING_JSON_ARRAY] = {"json-array", SLICE_INIT("application/json; charset=utf-8"), SLICE_INIT("application/json"),
                            SLICE_INIT("\n")},
    [FRAMING_AWS_EVENTS] = {"aws-events",
                            SLICE_INIT("application/vnd.amazon.eventstream"),
                            SLICE_INIT("application/vnd.amazon.eventstream"),
                            {NULL, 0}},
};

const struct framing_row *framing_row(enum framing framing) {
  must(framing < FRAMING_COUNT);
  return &rows[framing];
}

void stream_init(struct stream_reader *r, enum framing framing, size_t event_bytes_max) {
  *r = (struct stream_reader){.framing = framing};
  switch (framing) {
  case FRAMING_JSON_ARRAY: frames_init(&r->frames, FRAMES_ARRAY, event_bytes_max); break;
  case FRAMING_AWS_EVENTS: aws_events_init(&r->aws, event_bytes_max); break;
  default: sse_init(&r->sse, event_bytes_max);
  }
}

void stream_done(struct stream_reader *r) {
  switch (r->framing) {
  case FRAMING_JSON_ARRAY: frames_done(&r->frames); break;
  case FRAMING_AWS_EVENTS: aws_events_done(&r->aws); break;
  default: sse_done(&r->sse);
  }
}

static enum stream_verdict of_sse(enum sse_verdict verdict) {
  return verdict == SSE_EVENT ? STREAM_EVENT : verdict == SSE_MORE ? STREAM_MORE : STREAM_TOO_LARGE;
}

static enum stream_verdict of_frames(enum frames_verdict verdict, const struct frames_item *item,
                                     struct stream_event *out) {
  switch (verdict) {
  case FRAMES_ITEM: *out = (struct stream_event){.data = item->text, .raw = item->raw, .has_data = true}; break;
  case FRAMES_BETWEEN: *out = (struct stream_event){.raw = item->raw}; break;
  case FRAMES_MORE: return STREAM_MORE;
  case FRAMES_TOO_LARGE: return STREAM_TOO_LARGE;
  case FRAMES_BROKEN: return STREAM_BROKEN;
  }
  return STREAM_EVENT;
}

static enum stream_verdict next_aws(struct aws_reader *r, struct slice *in, struct stream_event *out) {
  struct aws_event e;
  switch (aws_events_next(r, in, &e)) {
  case AWS_MORE: return STREAM_MORE;
  case AWS_TOO_LARGE: return STREAM_TOO_LARGE;
  case AWS_BROKEN: return STREAM_BROKEN;
  case AWS_EVENT: break;
  }
  *out = (struct stream_event){.name = e.name,
                               .data = e.payload,
                               .raw = e.raw,
                               .has_data = true,
                               .is_exception = e.kind.len > 0 && !slice_eq(e.kind, SLICE("event"))};
  return STREAM_EVENT;
}

enum stream_verdict stream_next(struct stream_reader *r, struct slice *in, struct stream_event *out) {
  if (r->framing == FRAMING_SSE) return of_sse(sse_next(&r->sse, in, out));
  if (r->framing == FRAMING_AWS_EVENTS) return next_aws(&r->aws, in, out);
  struct frames_item item;
  enum frames_verdict verdict = frames_next(&r->frames, in, &item);
  return of_frames(verdict, &item, out);
}

enum stream_verdict stream_finish(struct stream_reader *r, struct stream_event *out) {
  if (r->framing == FRAMING_SSE) return of_sse(sse_finish(&r->sse, out));
  if (r->framing == FRAMING_AWS_EVENTS) {
    if (aws_events_ended_whole(&r->aws)) return STREAM_MORE;
    r->aws.why = "the stream ended within a message";
    return STREAM_BROKEN;
  }
  struct frames_item item;
  enum frames_verdict verdict = frames_finish(&r->frames, &item);
  return of_frames(verdict, &item, out);
}

const char *stream_why(const struct stream_reader *r) {
  const char *why = r->framing == FRAMING_JSON_ARRAY   ? r->frames.why
                    : r->framing == FRAMING_AWS_EVENTS ? r->aws.why
                                                       : NULL;
  return why ? why : "the stream is not framed as its API promises";
}
