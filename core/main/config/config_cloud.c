/* config_cloud: see the header. */
#include "main/config/config_cloud.h"

#include "base/memory.h"
#include "gate/signer/google_account.h"

const char *const config_cloud_aws_parts[] = {"access_key", "secret_key", "session_token", NULL};

char *config_cloud_url(const char *base, const struct value *provider, const char **missing) {
  struct buf out = {0};
  char *made = NULL;
  *missing = NULL;
  for (const char *at = base; *at && *missing == NULL; at++) {
    struct slice rest = slice_text(at);
    const char *name = slice_starts(rest, SLICE("{region}"))    ? "region"
                       : slice_starts(rest, SLICE("{project}")) ? "project"
                                                                : NULL;
    const struct value *given = name ? value_get(provider, name) : NULL;
    if (name == NULL) {
      buf_byte(&out, *at);
    } else if (given == NULL) {
      *missing = name;
    } else {
      buf_slice(&out, given->text);
      at += strlen(name) + 1;
    }
  }
  if (*missing == NULL) made = mem_text(out.ptr, out.len);
  buf_done(&out);
  return made;
}

bool config_cloud_key_is_file(const struct signer *signer) {
  return signer == &signer_google;
}

bool config_cloud_key_fits(const struct signer *signer, struct slice key, struct err *e) {
  struct google_account account;
  if (signer != &signer_google) return true;
  if (!google_account_read(key, &account, e)) return false;
  google_account_done(&account);
  return true;
}
