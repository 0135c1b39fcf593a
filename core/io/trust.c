/* trust: a list of parsed files, under one lock. An entry lives as long as somebody holds it; a changed file gets an
 * entry of its own beside the old one. */
#include "io/trust.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/list.h"
#include "base/memory.h"
#include "base/must.h"

struct trust {
  struct link link;
  char *file;            /* NULL: the system's */
  struct stat read_from; /* as it was then; all zero when there is none */
  X509_STORE *store;
  unsigned holders;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct link all = {&all, &all};

static struct stat look_at(const char *ca_file) {
  const char *path = ca_file;
  if (path == NULL) path = getenv(X509_get_default_cert_file_env());
  if (path == NULL) path = X509_get_default_cert_file();
  struct stat seen;
  if (stat(path, &seen) != 0) memset(&seen, 0, sizeof seen);
  return seen;
}

static bool is_of(const struct trust *t, const char *ca_file, const struct stat *now) {
  const struct stat *then = &t->read_from;
  if (ca_file == NULL ? t->file != NULL : t->file == NULL || strcmp(t->file, ca_file) != 0) return false;
  return then->st_dev == now->st_dev && then->st_ino == now->st_ino && then->st_size == now->st_size &&
         then->st_mtim.tv_sec == now->st_mtim.tv_sec && then->st_mtim.tv_nsec == now->st_mtim.tv_nsec;
}

static X509_STORE *read_store(const char *ca_file, struct err *e) {
  ERR_clear_error();
  X509_STORE *store = X509_STORE_new();
  must(store != NULL);
  if ((ca_file ? X509_STORE_load_file(store, ca_file) : X509_STORE_set_default_paths(store)) == 1) return store;
  unsigned long code = ERR_peek_last_error();
  const char *reason = code ? ERR_reason_error_string(code) : NULL;
  err_set(e, "cannot read certificates of %s: %s", ca_file ? ca_file : "the system",
          reason ? reason : "no reason given");
  X509_STORE_free(store);
  return NULL;
}

static struct trust *find(const char *ca_file, const struct stat *now) {
  for (struct link *at = all.next; at != &all; at = at->next) {
    struct trust *t = list_item(at, struct trust, link);
    if (is_of(t, ca_file, now)) return t;
  }
  return NULL;
}

struct trust *trust_take(const char *ca_file, struct err *e) {
  must(pthread_mutex_lock(&lock) == 0);
  struct stat now = look_at(ca_file);
  struct trust *t = find(ca_file, &now);
  X509_STORE *store = t == NULL ? read_store(ca_file, e) : NULL;
  if (store != NULL) {
    t = mem_new(struct trust);
    t->file = ca_file ? mem_text(ca_file, strlen(ca_file)) : NULL;
    t->read_from = now;
    t->store = store;
    list_add_first(&all, &t->link);
  }
  if (t != NULL) t->holders++;
  must(pthread_mutex_unlock(&lock) == 0);
  return t;
}

void trust_release(struct trust *t) {
  if (t == NULL) return;
  must(pthread_mutex_lock(&lock) == 0);
  must(t->holders > 0);
  bool last = --t->holders == 0;
  if (last) list_remove(&t->link);
  must(pthread_mutex_unlock(&lock) == 0);
  if (!last) return;
  X509_STORE_free(t->store);
  mem_free(t->file);
  mem_free(t);
}

struct x509_store_st *trust_store(const struct trust *t) {
  return t->store;
}
