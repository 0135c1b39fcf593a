/* fault: the table and its reader. Any thread. */
#include "gate/fault.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/must.h"

static const struct fault_row rows[FAULT_COUNT] = {
#define FAULT(id, code, status, openai_type, anthropic_type, summary, advice)                                          \
  {code, status, openai_type, anthropic_type, summary, advice},
#include "gate/fault_table.h"
#undef FAULT
};

const struct fault_row *fault_row(enum fault_code code) {
  must(code < FAULT_COUNT);
  return &rows[code];
}

void fault_set(struct fault *f, enum fault_code code, const char *format, ...) {
  *f = (struct fault){.code = code};
  va_list args;
  va_start(args, format);
  vsnprintf(f->text, sizeof f->text, format, args);
  va_end(args);
}

uint16_t fault_status(const struct fault *f) {
  return f->status ? f->status : fault_row(f->code)->status;
}

const char *fault_code_text(const struct fault *f) {
  return f->script_code[0] ? f->script_code : fault_row(f->code)->code;
}
