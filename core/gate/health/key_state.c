/* key_state: the registry, a list under a lock: configs are built and freed seldom. Any thread. */
#include "gate/health/key_state.h"

#include <pthread.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/must.h"
#include "base/random.h"
#include "base/secret.h"
#include "gate/signer/hmac.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct key_state *first;
static unsigned char pepper[32];
static bool is_peppered;

static void digest_of(const char *provider, const char *base_url, struct slice key, unsigned char out[32]) {
  unsigned char place[32], both[64];
  if (!is_peppered) random_bytes(pepper, sizeof pepper);
  is_peppered = true;
  struct iovec parts[] = {{(char *)(uintptr_t)provider, strlen(provider) + 1},
                          {(char *)(uintptr_t)base_url, strlen(base_url)}};
  sha256_of(parts, 2, place);
  hmac_sha256(slice_of((const char *)pepper, sizeof pepper), key, both);
  memcpy(both + 32, place, 32);
  hmac_sha256(slice_of((const char *)pepper, sizeof pepper), slice_of((const char *)both, sizeof both), out);
  secret_wipe(both, sizeof both);
}

static bool is_taken(const char *provider, const char *label) {
  for (const struct key_state *s = first; s != NULL; s = s->next)
    if (strcmp(s->provider, provider) == 0 && strcmp(s->label, label) == 0) return true;
  return false;
}

/* Two literal keys have one label, and so have an old and a new value of one variable while both are in use. */
static char *unique_label(const char *provider, const char *label) {
  char text[160];
  snprintf(text, sizeof text, "%.140s", label);
  for (unsigned n = 2; is_taken(provider, text); n++) snprintf(text, sizeof text, "%.140s #%u", label, n);
  return mem_text(text, strlen(text));
}

struct key_state *key_state_hold(const char *provider, const char *base_url, struct slice key, const char *label) {
  unsigned char digest[32];
  pthread_mutex_lock(&lock);
  digest_of(provider, base_url, key, digest);
  struct key_state *s = first;
  while (s != NULL && memcmp(s->digest, digest, sizeof digest) != 0) s = s->next;
  if (s == NULL) {
    s = mem_new(struct key_state);
    s->label = unique_label(provider, label);
    s->provider = mem_text(provider, strlen(provider));
    memcpy(s->digest, digest, sizeof digest);
    s->next = first;
    first = s;
  }
  s->holders++;
  pthread_mutex_unlock(&lock);
  return s;
}

void key_state_let_go(struct key_state *s) {
  if (s == NULL) return;
  pthread_mutex_lock(&lock);
  must(s->holders > 0);
  if (--s->holders == 0) {
    struct key_state **at = &first;
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    mem_free(s->provider);
    mem_free(s->label);
    mem_free(s);
  }
  pthread_mutex_unlock(&lock);
}

void key_state_each(void (*each)(void *owner, const struct key_state *s), void *owner) {
  pthread_mutex_lock(&lock);
  for (const struct key_state *s = first; s != NULL; s = s->next) each(owner, s);
  pthread_mutex_unlock(&lock);
}
