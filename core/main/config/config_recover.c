/* config_recover: see the header. */
#include "main/config/config_recover.h"

#include <string.h>

#include "main/config/schema.h"

bool config_recover_route(struct route *r, const struct value *v, const char *name, struct err *e) {
  const struct value *disconnect = value_get(v, "disconnect"), *recover = value_get(v, "recover");
  for (enum recover_mode mode = RECOVER_NONE; recover != NULL && mode <= RECOVER_CONTINUE; mode++)
    if (strcmp(recover->text.ptr, recover_mode_name(mode)) == 0) r->recover = mode;
  if (disconnect != NULL && disconnect->kind == VALUE_TABLE) {
    if (value_get(disconnect, "drain") == NULL)
      return err_set(e, "%s:%d: routes.%s.disconnect has no drain\n  for example: disconnect = { drain = \"30s\" }",
                     name, disconnect->line, r->name);
    r->disconnect_drain_ms = (uint32_t)schema_ms(disconnect, "routes.*.disconnect.drain");
  }
  return true;
}
