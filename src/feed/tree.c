#include "feed/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/hashmap.h"

struct node {
    struct relation relation;
    struct node **parents;
    size_t parent_count;
    char text[]; /* schema, NUL, table: the key */
};

struct tree {
    struct hashmap nodes;
};

struct tree *tree_new(void)
{
    return calloc(1, sizeof(struct tree));
}

/* The key of a relation, in `text`; false if it is longer than names can be. */
static bool key_of(const struct relation *relation, char *text, size_t size, struct slice *key)
{
    key->data = text;
    key->len = relation->schema.len + 1 + relation->table.len;
    if (key->len > size) {
        return false;
    }
    memcpy(text, relation->schema.data, relation->schema.len);
    text[relation->schema.len] = '\0';
    memcpy(text + relation->schema.len + 1, relation->table.data, relation->table.len);
    return true;
}

static struct node *find(const struct tree *tree, const struct relation *relation)
{
    char text[1024];
    struct slice key;

    return key_of(relation, text, sizeof(text), &key) ? hashmap_get(&tree->nodes, key) : NULL;
}

static struct node *find_or_add(struct tree *tree, const struct relation *relation)
{
    struct node *node = find(tree, relation);
    size_t len = relation->schema.len + 1 + relation->table.len;
    struct slice key;

    if (node != NULL || tree->nodes.len >= TREE_MAX) {
        return node;
    }
    node = calloc(1, sizeof(*node) + len);
    if (node == NULL) {
        return NULL;
    }
    key_of(relation, node->text, len, &key);
    node->relation.schema = (struct slice){node->text, relation->schema.len};
    node->relation.table =
        (struct slice){node->text + relation->schema.len + 1, relation->table.len};
    if (!hashmap_add(&tree->nodes, key, node)) {
        free(node);
        return NULL;
    }
    return node;
}

bool tree_add(struct tree *tree, const struct relation *child, const struct relation *parent)
{
    struct node *below = find_or_add(tree, child);
    struct node *above = find_or_add(tree, parent);
    struct node **parents;

    if (below == NULL || above == NULL) {
        return false;
    }
    parents = realloc(below->parents, (below->parent_count + 1) * sizeof(struct node *));
    if (parents == NULL) {
        return false;
    }
    below->parents = parents;
    below->parents[below->parent_count++] = above;
    return true;
}

/* The node's place in the lineage, which is extended by it if need be; `len` where it is full. */
static size_t place_of(struct lineage *lineage, const struct node *node,
                       const struct node *nodes[LINEAGE_MAX])
{
    size_t i = 0;

    while (i < lineage->len && nodes[i] != node) {
        i++;
    }
    if (i == lineage->len && i < LINEAGE_MAX) {
        nodes[i] = node;
        lineage->at[i] = node->relation;
        lineage->above[i] = 0;
        lineage->len++;
    }
    return i;
}

/* From "parents" to "all above": what stands above my parent stands above me. */
static void close_upwards(struct lineage *lineage)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (size_t i = 0; i < lineage->len; i++) {
            uint64_t all = lineage->above[i];

            for (size_t j = 0; j < lineage->len; j++) {
                all |= (lineage->above[i] >> j & 1) != 0 ? lineage->above[j] : 0;
            }
            changed |= all != lineage->above[i];
            lineage->above[i] = all;
        }
    }
}

void tree_lineage(const struct tree *tree, const struct relation *table, struct lineage *lineage)
{
    const struct node *nodes[LINEAGE_MAX];

    lineage->len = 1;
    lineage->at[0] = *table;
    lineage->above[0] = 0;
    nodes[0] = tree != NULL ? find(tree, table) : NULL;
    if (nodes[0] == NULL) {
        return;
    }
    for (size_t i = 0; i < lineage->len; i++) {
        for (size_t p = 0; p < nodes[i]->parent_count; p++) {
            size_t place = place_of(lineage, nodes[i]->parents[p], nodes);

            if (place < LINEAGE_MAX) {
                lineage->above[i] |= UINT64_C(1) << place;
            }
        }
    }
    close_upwards(lineage);
}

void tree_free(struct tree *tree)
{
    if (tree == NULL) {
        return;
    }
    for (size_t i = 0; i < tree->nodes.cap; i++) {
        struct node *node = tree->nodes.slots[i].value;

        if (node != NULL) {
            free(node->parents);
            free(node);
        }
    }
    hashmap_free(&tree->nodes);
    free(tree);
}
