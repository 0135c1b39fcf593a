/* coalesce_key: see the header. Each part goes in with its length before it, so no two requests give the same bytes. */
/* OpenSSL's own functions cost a third of its EVP door, which allocates (see gate/key.c). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "gate/sharing/coalesce_key.h"

#include <openssl/sha.h>

#include "base/must.h"
#include "gate/attempt/outgoing.h"
#include "gate/request.h"

static void put(SHA256_CTX *hash, struct slice part) {
  uint64_t len = part.len;
  must(SHA256_Update(hash, &len, sizeof len) == 1);
  if (part.len > 0) must(SHA256_Update(hash, part.ptr, part.len) == 1);
}

static void put_tenant(SHA256_CTX *hash, const struct key *key, const struct route *route) {
  bool own_policy = route->policy != NULL && slice_ends(slice_text(route->policy), SLICE(".lua"));
  bool is_team = key != NULL && key->team != NULL && !own_policy;
  put(hash, key == NULL ? SLICE("all") : is_team ? SLICE("team") : SLICE("key"));
  if (is_team) put(hash, slice_text(key->team->name));
  else if (key != NULL) put(hash, slice_of((const char *)key->digest, sizeof key->digest));
}

/* A key may stand in it (gate/key.h). */
static void put_query(SHA256_CTX *hash, struct slice query) {
  while (query.len > 0) {
    ptrdiff_t end = slice_find_byte(query, '&');
    struct slice one = end < 0 ? query : slice_of(query.ptr, (size_t)end);
    query = end < 0 ? SLICE("") : slice_from(query, (size_t)end + 1);
    if (one.len > 0 && !slice_starts(one, SLICE("key="))) put(hash, one);
  }
  put(hash, SLICE(""));
}

/* Of the one sending, not of what is asked. */
static bool is_mark(struct slice name) {
  static const struct slice names[] = {SLICE_INIT("amz-sdk-invocation-id"),
                                       SLICE_INIT("amz-sdk-request"),
                                       SLICE_INIT("b3"),
                                       SLICE_INIT("baggage"),
                                       SLICE_INIT("date"),
                                       SLICE_INIT("traceparent"),
                                       SLICE_INIT("tracestate"),
                                       SLICE_INIT("x-amzn-trace-id"),
                                       SLICE_INIT("x-client-request-id"),
                                       SLICE_INIT("x-correlation-id")};
  static const struct slice prefixes[] = {SLICE_INIT("x-b3-"), SLICE_INIT("x-datadog-"), SLICE_INIT("x-stainless-")};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (slice_eq_nocase(name, names[i])) return true;
  for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    if (name.len > prefixes[i].len && slice_eq_nocase(slice_of(name.ptr, prefixes[i].len), prefixes[i])) return true;
  return false;
}

static bool counts(const struct http_head *head, struct slice name) {
  static const struct slice ours = SLICE_INIT("x-moongate-");
  if (name.len > ours.len && slice_eq_nocase(slice_of(name.ptr, ours.len), ours)) return true;
  if (slice_eq_nocase(name, SLICE("user-agent"))) return true; /* policies may ask for it */
  return !outgoing_stays_here(head, name) && !is_mark(name);
}

static void put_lower(SHA256_CTX *hash, struct slice name) {
  uint64_t len = name.len;
  must(SHA256_Update(hash, &len, sizeof len) == 1);
  char lower[64];
  while (name.len > 0) {
    size_t part = name.len < sizeof lower ? name.len : sizeof lower;
    for (size_t i = 0; i < part; i++)
      lower[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] | 0x20) : name.ptr[i];
    must(SHA256_Update(hash, lower, part) == 1);
    name = slice_from(name, part);
  }
}

void coalesce_key_of(const struct request *r, const struct route *route, unsigned char out[COALESCE_KEY_BYTES]) {
  SHA256_CTX hash;
  uint32_t fixed[] = {r->tenure->generation->number, route->index, (uint32_t)r->endpoint->operation,
                      (uint32_t)r->endpoint->dialect};
  must(SHA256_Init(&hash) == 1);
  put(&hash, slice_of((const char *)fixed, sizeof fixed));
  put_tenant(&hash, r->key, route);
  put(&hash, r->head->method);
  put(&hash, r->head->path);
  put_query(&hash, r->head->query);
  for (unsigned i = 0; i < r->head->header_count; i++) {
    const struct http_header *h = &r->head->headers[i];
    if (!counts(r->head, h->name)) continue;
    put_lower(&hash, h->name);
    put(&hash, h->value);
  }
  put(&hash, SLICE(""));
  put(&hash, r->body);
  must(SHA256_Final(out, &hash) == 1);
}
