/* openai_error: message, type, param, code. Any thread. */
#include "gate/dialect/openai_error.h"

#include "gate/dialect/dialect_read.h"

void openai_error_put_object(struct buf *out, const struct fault *f) {
  buf_text(out, "{\"message\":");
  dialect_put_message(out, f, false, false);
  buf_text(out, ",\"type\":\"");
  buf_text(out, fault_row(f->code)->openai_type);
  buf_text(out, "\",\"param\":");
  if (f->param[0]) json_put_string(out, slice_text(f->param));
  else buf_text(out, "null");
  buf_text(out, ",\"code\":");
  json_put_string(out, slice_text(fault_code_text(f)));
  buf_text(out, "}");
}

void openai_error_put(struct buf *out, const struct fault *f, struct slice request_id) {
  (void)request_id;
  buf_text(out, "{\"error\":");
  openai_error_put_object(out, f);
  buf_text(out, "}");
}
