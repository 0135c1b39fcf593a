/* tls: the edge's certificates over OpenSSL. Any thread: one mutex per identity, held for pointer swaps and ticket keys
 * only. A connection's SSL holds a reference to the SSL_CTX that it began with, which is how a reload drops nobody. */
#include "io/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"

enum { TICKET_KEY_HOURS = 6, TICKET_KEYS = 2 /* the present one and the one before, still accepted */ };

struct ticket_key {
  unsigned char name[16], cipher[32], mac[32];
  uint64_t made_ns; /* 0: none */
};

struct tls_identity {
  pthread_mutex_t lock; /* of ctx and tickets */
  SSL_CTX *ctx;
  struct ticket_key tickets[TICKET_KEYS];
  char *chain_file, *key_file;
};

/* Puts OpenSSL's oldest reason into e and empties its queue. */
static bool fault(struct err *e, const char *file, const char *what) {
  unsigned long code = ERR_peek_error();
  const char *reason = code ? ERR_reason_error_string(code) : NULL;
  if (code && ERR_SYSTEM_ERROR(code)) reason = strerror(ERR_GET_REASON(code));
  err_set(e, "%s: %s: %s", file, what, reason ? reason : "unknown reason");
  ERR_clear_error();
  return false;
}

static int alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *owner) {
  static const unsigned char http11[] = "\x08http/1.1";
  (void)ssl, (void)owner;
  unsigned char *chosen;
  if (SSL_select_next_proto(&chosen, out_len, http11, sizeof http11 - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

static void tickets_rotate(struct tls_identity *t) {
  uint64_t now_ns = clock_ns();
  if (t->tickets[0].made_ns != 0 && now_ns - t->tickets[0].made_ns < TICKET_KEY_HOURS * 3600ull * 1000000000) return;
  t->tickets[1] = t->tickets[0];
  struct ticket_key *k = &t->tickets[0];
  must(RAND_bytes(k->name, sizeof k->name) == 1);
  must(RAND_priv_bytes(k->cipher, sizeof k->cipher) == 1);
  must(RAND_priv_bytes(k->mac, sizeof k->mac) == 1);
  k->made_ns = now_ns;
}

/* The key to seal with, or the one of this name; NULL when it is not known any more. */
static const struct ticket_key *ticket_key_find(const struct tls_identity *t, const unsigned char *name, int sealing) {
  for (int i = 0; i < TICKET_KEYS; i++) {
    const struct ticket_key *k = &t->tickets[i];
    if (k->made_ns != 0 && (sealing || memcmp(name, k->name, sizeof k->name) == 0)) return k;
  }
  return NULL;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 use it, 2 use it and renew the ticket, 0 full handshake. */
static int ticket_cipher(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                         int sealing) {
  struct tls_identity *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
  struct ticket_key key = {.made_ns = 0};
  must(pthread_mutex_lock(&t->lock) == 0);
  tickets_rotate(t);
  const struct ticket_key *found = ticket_key_find(t, name, sealing);
  bool newest = found == &t->tickets[0];
  if (found != NULL) key = *found;
  must(pthread_mutex_unlock(&t->lock) == 0);
  if (found == NULL) return 0;
  if (sealing) {
    memcpy(name, key.name, sizeof key.name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  }
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac, sizeof key.mac),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  int ok = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv, sealing) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
  OPENSSL_cleanse(&key, sizeof key);
  return !ok ? -1 : newest ? 1 : 2;
}

static bool ctx_set_up(SSL_CTX *ctx, struct tls_identity *t, struct err *e) {
  SSL_CTX_set_app_data(ctx, t);
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  must(SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") == 1);
  /* OpenSSL's own list has finite fields in it: TLS 1.3 lets a client choose one of 8192 bits, which takes 125 ms. */
  must(SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1);
  /* Partial writes from a queue whose memory moves; no 34 KB of buffers for an idle connection; one recv a record. */
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ctx, 1);
  /* Resumption by tickets only: a session cache would be memory per client. */
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 1);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_cipher);
  SSL_CTX_set_alpn_select_cb(ctx, alpn_choose, NULL);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(ctx, t->chain_file) != 1)
    return fault(e, t->chain_file, "no usable certificate chain (PEM, leaf first)");
  if (SSL_CTX_use_PrivateKey_file(ctx, t->key_file, SSL_FILETYPE_PEM) != 1)
    return fault(e, t->key_file, "no usable private key (PEM)");
  if (SSL_CTX_check_private_key(ctx) != 1) return fault(e, t->key_file, "the key does not belong to the certificate");
  return true;
}

static SSL_CTX *ctx_read(struct tls_identity *t, struct err *e) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  must(ctx != NULL);
  if (ctx_set_up(ctx, t, e)) return ctx;
  SSL_CTX_free(ctx);
  return NULL;
}

struct tls_identity *tls_identity_new(const char *chain_file, const char *key_file, struct err *e) {
  struct tls_identity *t = mem_new(struct tls_identity);
  must(pthread_mutex_init(&t->lock, NULL) == 0);
  t->chain_file = mem_text(chain_file, strlen(chain_file));
  t->key_file = mem_text(key_file, strlen(key_file));
  t->ctx = ctx_read(t, e);
  if (t->ctx != NULL) return t;
  tls_identity_free(t);
  return NULL;
}

bool tls_identity_reload(struct tls_identity *t, struct err *e) {
  SSL_CTX *fresh = ctx_read(t, e);
  if (fresh == NULL) return false;
  must(pthread_mutex_lock(&t->lock) == 0);
  SSL_CTX *old = t->ctx;
  t->ctx = fresh;
  must(pthread_mutex_unlock(&t->lock) == 0);
  SSL_CTX_free(old);
  return true;
}

void tls_identity_free(struct tls_identity *t) {
  if (t == NULL) return;
  SSL_CTX_free(t->ctx);
  pthread_mutex_destroy(&t->lock);
  OPENSSL_cleanse(t->tickets, sizeof t->tickets);
  mem_free(t->chain_file);
  mem_free(t->key_file);
  mem_free(t);
}

struct ssl_st *tls_accept_new(struct tls_identity *t, int socket) {
  must(pthread_mutex_lock(&t->lock) == 0);
  SSL *ssl = SSL_new(t->ctx);
  must(pthread_mutex_unlock(&t->lock) == 0);
  must(ssl != NULL && SSL_set_fd(ssl, socket) == 1);
  SSL_set_accept_state(ssl);
  return ssl;
}
