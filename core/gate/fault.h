/* fault: everything the gateway itself says no to, in one table: stable code, HTTP status, the type each client API
 * expects, what to do about it. The manual (docs/reference/errors.md) is generated from the table. Pure; any thread.
 *
 * An error that a provider gave is not a fault: it passes on as the provider's (gate/attempt/failure.h classifies it).
 */
#ifndef MOONGATE_GATE_FAULT_H
#define MOONGATE_GATE_FAULT_H

#include <stdint.h>

#include "base/bytes.h"

enum fault_code {
#define FAULT(id, code, status, openai_type, anthropic_type, summary, advice) FAULT_##id,
#include "gate/fault_table.h"
#undef FAULT
  FAULT_COUNT
};

struct fault_row {
  const char *code; /* stable, what programs match on */
  uint16_t status;
  const char *openai_type;    /* "invalid_request_error" … */
  const char *anthropic_type; /* "invalid_request_error", "overloaded_error" … */
  const char *summary;        /* when it happens; for the manual */
  const char *advice;         /* what to do; ends the message a client reads */
};
const struct fault_row *fault_row(enum fault_code code);

/* One no, on its way to a client. */
struct fault {
  enum fault_code code;
  uint16_t status;        /* 0: the row's */
  uint32_t retry_after_s; /* 0: no header */
  char param[96];         /* the field at fault ("messages[2].content"), or "" */
  char text[384];         /* what and why, one sentence; no secrets, no message content */
  char script_code[48];   /* the code a script gave with gw.refuse, or "" */
};

/* Fills f; text by printf format. */
void fault_set(struct fault *f, enum fault_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
uint16_t fault_status(const struct fault *f);
const char *fault_code_text(const struct fault *f);

#endif
