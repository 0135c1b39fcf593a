/* signer_aws: the signer "aws-sigv4". A key "ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]" signs each call; any
 * other key is a Bedrock API key and is sent as Bearer. Region and service: the provider's, else as its host names them
 * ("bedrock-runtime.us-east-1.amazonaws.com"). It never waits. The worker's thread. */
#include <stdio.h>

#include "base/clock.h"
#include "base/secret.h"
#include "gate/config.h"
#include "gate/signer/signer.h"
#include "gate/signer/sigv4.h"

/* What stands before the next `byte`; takes it, and the byte, off the front. */
static struct slice take_until(struct slice *text, char byte) {
  ptrdiff_t at = slice_find_byte(*text, byte);
  struct slice taken = slice_of(text->ptr, at < 0 ? text->len : (size_t)at);
  *text = slice_from(*text, taken.len + 1);
  return taken;
}

/* The label before "vpce", "amazonaws" or "api.aws"; empty when the host is not AWS's. */
static struct slice region_of_host(struct slice host) {
  for (struct slice before = {NULL, 0}; host.len > 0;) {
    struct slice label = take_until(&host, '.');
    if (slice_eq(label, SLICE("vpce")) || slice_eq(label, SLICE("amazonaws")) ||
        (slice_eq(label, SLICE("api")) && slice_eq(host, SLICE("aws"))))
      return before;
    before = label;
  }
  return slice_of(NULL, 0);
}

static struct sigv4_signer *open_account(const struct provider *p, struct slice key, char why[SIGNER_WHY_BYTES]) {
  struct sigv4_account account = {.access_key = take_until(&key, ':')};
  account.secret = take_until(&key, ':');
  account.session_token = key;
  account.region = p->region != NULL ? slice_text(p->region) : region_of_host(slice_text(p->authority));
  account.service = p->service != NULL ? slice_text(p->service) : SLICE("bedrock");
  if (account.region.len > 0) return sigv4_signer_new(&account);
  snprintf(why, SIGNER_WHY_BYTES, "No AWS region is known for %.60s: set providers.%.40s.region.", p->authority,
           p->name);
  return NULL;
}

static struct slice content_type_of(struct slice lines) {
  static const struct slice name = SLICE_INIT("content-type: ");
  while (lines.len > 0) {
    ptrdiff_t end = slice_find(lines, SLICE("\r\n"));
    struct slice line = slice_of(lines.ptr, end < 0 ? lines.len : (size_t)end);
    lines = slice_from(lines, line.len + 2);
    if (line.len > name.len && slice_eq_nocase(slice_of(line.ptr, name.len), name)) return slice_from(line, name.len);
  }
  return slice_of(NULL, 0);
}

static enum signer_verdict sign(const struct signing *call, struct signer_wait *w, struct buf *lines,
                                char why[SIGNER_WHY_BYTES]) {
  const struct provider *p = call->provider;
  struct slice key = secret_view(p->keys[call->key_index].bare);
  (void)w;
  if (key.len == 0) return SIGNER_DONE; /* a server of one's own that asks for none */
  if (slice_find_byte(key, ':') < 0) {
    buf_slice(lines, SLICE("authorization: Bearer "));
    buf_slice(lines, key);
    buf_slice(lines, SLICE("\r\n"));
    return SIGNER_DONE;
  }
  if (*call->state == NULL) *call->state = open_account(p, key, why);
  if (*call->state == NULL) return SIGNER_FAILED;
  struct sigv4_call signed_call = {.method = call->method,
                                   .target = call->target,
                                   .host = slice_text(p->authority),
                                   .content_type = content_type_of(call->headers),
                                   .body = call->body,
                                   .body_parts = call->body_parts};
  sigv4_sign(*call->state, &signed_call, clock_wall_ms(), lines);
  return SIGNER_DONE;
}

static void close_account(void *state) {
  sigv4_signer_free(state);
}

const struct signer signer_aws = {"aws-sigv4", sign, close_account};
