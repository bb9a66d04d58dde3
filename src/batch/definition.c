#include "batch/definition.h"

#include <stdlib.h>
#include <string.h>

#include "snapshot/xids.h"

struct definition *definition_new(uint32_t leaf, uint32_t root, struct slice schema,
                                  struct slice table)
{
    struct definition *definition = calloc(1, sizeof(*definition) + schema.len + table.len);

    if (definition == NULL) {
        return NULL;
    }
    memcpy(definition->text, schema.data, schema.len);
    memcpy(definition->text + schema.len, table.data, table.len);
    definition->refs = 1;
    definition->leaf = leaf;
    definition->root = root;
    definition->schema = (struct slice){definition->text, schema.len};
    definition->table = (struct slice){definition->text + schema.len, table.len};
    return definition;
}

void definition_use(struct definition *definition, struct key_columns columns, const char *json,
                    void *memory)
{
    definition->columns = columns;
    definition->json = json;
    definition->memory = memory;
    definition->state = DEFINITION_USABLE;
}

struct definition *definition_hold(struct definition *definition)
{
    definition->refs++;
    return definition;
}

void definition_release(struct definition *definition)
{
    while (definition != NULL && --definition->refs == 0) {
        struct definition *successor = definition->successor;

        free(definition->memory);
        free(definition);
        definition = successor;
    }
}

bool definition_serves(const struct definition *definition, uint32_t xid)
{
    return definition != NULL && definition->state == DEFINITION_USABLE &&
           !xid_precedes(xid, definition->from_xid);
}
