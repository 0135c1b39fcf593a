/* google_account: a Google service account's key file, and the assertion (a signed JWT) that its token endpoint takes.
 * Source: Google Identity, "Using OAuth 2.0 for Server to Server Applications"; RFC 7515, RFC 7523. Pure; any thread.
 *
 * The private key stays, as its PEM text, in memory that is not dumped; OpenSSL has it decoded only while it signs,
 * once a token. This file fetches nothing: see gate/signer/google_token.h. */
#ifndef MOONGATE_GATE_GOOGLE_ACCOUNT_H
#define MOONGATE_GATE_GOOGLE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct secret;

struct google_account {
  char *client_email, *key_id, *token_uri; /* key_id may be "" */
  struct secret *private_key;              /* PEM */
};

/* Reads the JSON of a key file. false: e says which field is missing or wrong; *out needs no google_account_done. */
bool google_account_read(struct slice json, struct google_account *out, struct err *e);
void google_account_done(struct google_account *a); /* wipes */
/* Appends the body of the request for a token (application/x-www-form-urlencoded): it is a secret. wall_ms: now. */
bool google_account_put_request(const struct google_account *a, int64_t wall_ms, struct buf *out, struct err *e);

/* What the token endpoint answered; answers need BUF_SLACK readable bytes behind them. */
struct google_grant {
  struct slice token; /* points into the answer */
  uint32_t expires_s;
};
bool google_grant_read(struct slice answer, struct google_grant *out);
/* Its error in words, without secrets: "invalid_grant: Invalid JWT Signature." */
void google_grant_error(struct slice answer, char *out, size_t bytes);

#endif
