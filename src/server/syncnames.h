/* synchronous_standby_names ("Replication", Primary Server): who may be meant. */
#ifndef PGNUDGE_SERVER_SYNCNAMES_H
#define PGNUDGE_SERVER_SYNCNAMES_H

#include <stdbool.h>

/*
 * Whether the setting `names` may count a walsender with this application name as a synchronous
 * standby: by its name, in any case as the server compares it, or by a star.
 */
bool syncnames_match(const char *names, const char *application);

#endif
