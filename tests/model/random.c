#include "model.h"

uint32_t random_next(struct random *random)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return (uint32_t)(random->state >> 32);
}

uint32_t random_below(struct random *random, uint32_t count)
{
    return random_next(random) % count;
}

bool random_one_in(struct random *random, uint32_t count)
{
    return random_below(random, count) == 0;
}
