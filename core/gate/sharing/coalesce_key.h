/* coalesce_key: what makes two requests one and the same: a digest over all that can matter to the answer. Pure; any
 * thread.
 *
 * All of a request counts (whose it is, generation and route, method, path, query, headers, body) but for what says
 * nothing of what is asked: headers of the connection and of proxies, credentials, which the tenant stands for, and
 * marks that tracing and SDKs put on each request. A header that is not known to be such counts: two requests too many
 * kept apart cost money, two too few would give somebody a wrong answer. */
#ifndef MOONGATE_GATE_COALESCE_KEY_H
#define MOONGATE_GATE_COALESCE_KEY_H

enum { COALESCE_KEY_BYTES = 32 };

struct request;
struct route;

/* r has its head and its body. The tenant is the key's team; the key itself where it has none, or where a policy of the
 * operator's own decides, since that can see the key. Without keys all are one. */
void coalesce_key_of(const struct request *r, const struct route *route, unsigned char out[COALESCE_KEY_BYTES]);

#endif
