/* provider_choice: which provider takes a request that names no model: stored files, batches, a provider's own API. The
 * worker's thread. */
#ifndef MOONGATE_GATE_PROVIDER_CHOICE_H
#define MOONGATE_GATE_PROVIDER_CHOICE_H

#include "gate/request.h"

/* The provider that the path names (/providers/NAME/…), or the header x-moongate-provider, or the only one of the
 * client's API that the key may use. *rest: what of the path goes on to it, without its first slash. *model: what the
 * body of a raw call names, for its price; empty: nothing, or nothing that can be read. NULL: f tells.
 *
 * A key that is limited to some models may use a provider in this way only when its list has "NAME/" followed by "*":
 * what is asked for cannot be seen. */
struct provider *provider_choose(struct request *r, struct slice *rest, struct slice *model, struct fault *f);

#endif
