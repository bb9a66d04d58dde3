/* How it ended. */
#ifndef PGNUDGE_FEED_OUTCOME_H
#define PGNUDGE_FEED_OUTCOME_H

/* The contract's exit statuses. */
enum feed_status {
    FEED_STOPPED = 0,
    FEED_ERROR = 1,
    FEED_USAGE = 2,
    FEED_REFUSED = 3,
    FEED_TIMEOUT = 124
};

struct feed_outcome {
    enum feed_status status;
    int signal; /* to die by, or 0 */
};

#endif
