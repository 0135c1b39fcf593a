/* sigv4: AWS Signature Version 4 of one HTTP request, as signer (towards providers) and as verifier (of clients).
 * Source: AWS IAM user guide, "Create a signed AWS API request". Any thread, but for a signer.
 *
 *   canonical request ─SHA-256─▶ string to sign ─HMAC(signing key)─▶ signature
 *   signing key = HMAC(HMAC(HMAC(HMAC("AWS4" secret, date), region), service), "aws4_request")
 *
 * The path is encoded once more than it is sent (every service but S3). What is signed is the path and query as they
 * are sent. It does not know S3's ways: unsigned payloads, chunk signatures, presigned URLs. */
#ifndef MOONGATE_GATE_SIGV4_H
#define MOONGATE_GATE_SIGV4_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "wire/http.h"

/* ---- signing ---- */

/* Credentials of one account, and the signing key of the day, which is derived once. One thread. Secrets lie in memory
 * that is not dumped. */
struct sigv4_signer;

struct sigv4_account {
  struct slice access_key, secret, session_token; /* token empty: none */
  struct slice region, service;                   /* "us-east-1", "bedrock" */
};

struct sigv4_signer *sigv4_signer_new(const struct sigv4_account *account); /* copies all */
void sigv4_signer_free(struct sigv4_signer *s);                             /* NULL is fine; wipes */

struct sigv4_call {
  struct slice method, target; /* "POST"; path and query as they will be sent */
  struct slice host;           /* of the Host header */
  struct slice content_type;   /* as it will be sent; empty: none */
  const struct iovec *body;
  int body_parts;
};

/* Appends the header lines to add to the request: x-amz-date, x-amz-security-token, authorization. wall_ms: now. The
 * lines hold the session token: they are a secret of the call. */
void sigv4_sign(struct sigv4_signer *s, const struct sigv4_call *call, int64_t wall_ms, struct buf *lines);

/* ---- verifying ---- */

/* What a signed request claims, read from its head; the signature is checked when the body is there. Slices point into
 * the arena. */
struct sigv4_claim {
  struct slice access_key;      /* public: looks the secret up */
  struct slice date, scope;     /* "20261122T120000Z", "20261122/us-east-1/bedrock/aws4_request" */
  struct slice region, service; /* of scope */
  struct slice canonical;       /* the canonical request up to the body's hash */
  struct slice body_hash;       /* x-amz-content-sha256, hex; empty: not sent */
  struct slice signature;       /* 64 hex digits */
};

enum { SIGV4_SKEW_MS = 15 * 60 * 1000 }; /* how far a client's clock may be off, as AWS has it */

/* Whether the head carries a signature ("authorization: AWS4-HMAC-SHA256 …"). */
bool sigv4_is_signed(const struct http_head *head);
/* Reads the claim of a signed head. false: it is malformed, leaves out a header that must be signed, or is too old;
 * e tells, and holds nothing that is secret. */
bool sigv4_claim_read(const struct http_head *head, int64_t wall_ms, struct arena *arena, struct sigv4_claim *out,
                      struct err *e);
/* Whether `secret` signed the claim over this body. In time that does not depend on the secret. */
bool sigv4_claim_holds(const struct sigv4_claim *c, struct slice secret, struct slice body);

/* ---- shared with tests ---- */

/* Appends the canonical forms of a path (as it is sent) and of a query. */
void sigv4_put_path(struct buf *out, struct slice path);
void sigv4_put_query(struct buf *out, struct slice query);
/* Appends a header's value with its blanks trimmed and folded. */
void sigv4_put_value(struct buf *out, struct slice value);

#endif
