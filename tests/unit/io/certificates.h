/* certificates: a certificate authority of the test's own and what it signs, made in memory; only the authority's
 * certificate goes to a file, for upstream_config.ca_file. */
#ifndef MOONGATE_TESTS_IO_CERTIFICATES_H
#define MOONGATE_TESTS_IO_CERTIFICATES_H

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"

struct authority {
  EVP_PKEY *key;
  X509 *certificate;
  char file[32];
};

static inline X509 *certificate_new(EVP_PKEY *key, const char *name, const char *alternative, bool is_authority,
                                    long from_s, long until_s, X509 *issuer, EVP_PKEY *issuer_key) {
  static long serial;
  X509 *c = X509_new();
  X509_set_version(c, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(c), from_s);
  X509_gmtime_adj(X509_getm_notAfter(c), until_s);
  X509_set_pubkey(c, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
  X509_set_issuer_name(c, X509_get_subject_name(issuer ? issuer : c));
  const struct {
    int nid;
    const char *value;
  } extensions[] = {{NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "CA:FALSE"},
                    {NID_subject_alt_name, alternative}};
  for (int i = 0; i < 2; i++) {
    if (!extensions[i].value) continue;
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, extensions[i].nid, extensions[i].value);
    must(e != NULL && X509_add_ext(c, e, -1) == 1);
    X509_EXTENSION_free(e);
  }
  must(X509_sign(c, issuer_key ? issuer_key : key, EVP_sha256()) > 0);
  return c;
}

static inline struct authority authority_new(void) {
  struct authority a = {.key = EVP_EC_gen("P-256"), .file = "/tmp/upcall_ca_XXXXXX"};
  a.certificate = certificate_new(a.key, "Test authority", NULL, true, -60, 86400, NULL, NULL);
  FILE *file = fdopen(mkstemp(a.file), "w");
  must(file != NULL && PEM_write_X509(file, a.certificate) == 1);
  fclose(file);
  return a;
}

static inline void authority_free(struct authority *a) {
  unlink(a->file);
  EVP_PKEY_free(a->key);
  X509_free(a->certificate);
}

/* A server context with a certificate signed by a, or by itself with a NULL. alternative: "DNS:localhost",
 * "IP:127.0.0.1". */
static inline SSL_CTX *server_with(const struct authority *a, const char *alternative, long from_s, long until_s) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *c = certificate_new(key, "localhost", alternative, false, from_s, until_s, a ? a->certificate : NULL,
                            a ? a->key : NULL);
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  must(SSL_CTX_use_certificate(context, c) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1);
  SSL_CTX_set_session_id_context(context, (const unsigned char *)"t", 1);
  EVP_PKEY_free(key);
  X509_free(c);
  return context;
}

#endif
