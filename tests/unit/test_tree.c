/* What stands above what, at any depth. */
#include "feed/tree.h"

#include <stdlib.h>

#include "check.h"

static bool add(struct tree *tree, const char *child, const char *parent)
{
    struct relation below = {slice_of("s"), slice_of(child)};
    struct relation above = {slice_of("s"), slice_of(parent)};

    return CHECK(tree_add(tree, &below, &above));
}

/* The lineage's tables in its order, each with those above it: "leaf<mid,root mid<root root<". */
static void describe(const struct tree *tree, const char *table, struct buffer *out)
{
    struct relation relation = {slice_of("s"), slice_of(table)};
    struct lineage lineage;

    tree_lineage(tree, &relation, &lineage);
    buffer_clear(out);
    for (size_t i = 0; i < lineage.len; i++) {
        const char *comma = "<";

        CHECK_SLICE(lineage.at[i].schema, slice_of("s"));
        buffer_text(out, i > 0 ? " " : "");
        buffer_append(out, lineage.at[i].table.data, lineage.at[i].table.len);
        for (size_t j = 0; j < lineage.len; j++) {
            if ((lineage.above[i] >> j & 1) != 0) {
                buffer_text(out, comma);
                buffer_append(out, lineage.at[j].table.data, lineage.at[j].table.len);
                comma = ",";
            }
        }
    }
}

#define LINEAGE(tree, table, expected)                                                             \
    do {                                                                                           \
        struct buffer text = {0};                                                                  \
                                                                                                   \
        describe((tree), (table), &text);                                                          \
        CHECK_BUFFER(text, (expected));                                                            \
        buffer_free(&text);                                                                        \
    } while (0)

static void alone(void)
{
    struct tree *tree = tree_new();

    REQUIRE(tree != NULL);
    LINEAGE(NULL, "a", "a");
    LINEAGE(tree, "a", "a");
    add(tree, "b", "c");
    LINEAGE(tree, "a", "a");
    LINEAGE(tree, "c", "c");
    LINEAGE(tree, "", "");
    tree_free(tree);
    tree_free(NULL);
}

static void deep(void)
{
    struct tree *tree = tree_new();

    REQUIRE(tree != NULL);
    add(tree, "leaf", "low");
    add(tree, "mid", "root");
    add(tree, "low", "mid");
    add(tree, "other", "root");
    LINEAGE(tree, "leaf", "leaf<low,mid,root low<mid,root mid<root root");
    LINEAGE(tree, "mid", "mid<root root");
    LINEAGE(tree, "other", "other<root root");
    LINEAGE(tree, "root", "root");
    tree_free(tree);
}

static void several_parents(void)
{
    struct tree *tree = tree_new();

    REQUIRE(tree != NULL);
    add(tree, "c", "a");
    add(tree, "c", "b");
    add(tree, "b", "top");
    add(tree, "d", "c");
    LINEAGE(tree, "c", "c<a,b,top a b<top top");
    LINEAGE(tree, "d", "d<c,a,b,top c<a,b,top a b<top top");
    tree_free(tree);
}

static void diamond(void)
{
    struct tree *tree = tree_new();

    REQUIRE(tree != NULL);
    add(tree, "leaf", "left");
    add(tree, "leaf", "right");
    add(tree, "left", "root");
    add(tree, "right", "root");
    add(tree, "leaf", "root"); /* also directly */
    LINEAGE(tree, "leaf", "leaf<left,right,root left<root right<root root");
    tree_free(tree);
}

/* The server allows none; a catalog read in the midst of changes might show one. */
static void cycles(void)
{
    struct tree *tree = tree_new();

    REQUIRE(tree != NULL);
    add(tree, "self", "self");
    add(tree, "a", "b");
    add(tree, "b", "c");
    add(tree, "c", "a");
    LINEAGE(tree, "self", "self<self");
    LINEAGE(tree, "a", "a<a,b,c b<a,b,c c<a,b,c");
    tree_free(tree);
}

/* Names are copied, and compared whole: with their schema, NULs and dots included. */
static void names(void)
{
    static const struct relation tables[] = {
        {LITERAL("a"), LITERAL("b")},     {LITERAL("a.b"), LITERAL("c")},
        {LITERAL("a"), LITERAL("b.c")},   {LITERAL("A"), LITERAL("b")},
        {LITERAL("b"), LITERAL("a")},     {LITERAL("tr\xc3\xa4nen"), LITERAL("\xe6\x97\xa5")},
        {LITERAL("a\"b"), LITERAL("\\")},
    };
    struct tree *tree = tree_new();
    struct lineage lineage;
    char schema[16], table[16];

    REQUIRE(tree != NULL);
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        struct relation parent = {{schema, 0}, {table, 0}};

        parent.schema.len = (size_t)snprintf(schema, sizeof(schema), "parent");
        parent.table.len = (size_t)snprintf(table, sizeof(table), "of %zu", i);
        CHECK(tree_add(tree, &tables[i], &parent));
        memset(schema, 'x', sizeof(schema));
        memset(table, 'x', sizeof(table));
    }
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        CASE("%zu", i);
        tree_lineage(tree, &tables[i], &lineage);
        snprintf(table, sizeof(table), "of %zu", i);
        CHECK_INT(lineage.len, 2);
        CHECK_SLICE(lineage.at[1].schema, slice_of("parent"));
        CHECK_SLICE(lineage.at[1].table, slice_of(table));
    }
    tree_free(tree);
}

/* A chain, and a table with many parents, longer than a lineage can be: the nearest ones are kept. */
static void too_long(void)
{
    struct tree *tree = tree_new();
    struct relation first = {slice_of("s"), slice_of("chain0")};
    struct relation wide = {slice_of("s"), slice_of("wide")};
    struct lineage lineage;
    char child[32], parent[32];

    REQUIRE(tree != NULL);
    for (int i = 0; i < 3 * LINEAGE_MAX; i++) {
        snprintf(child, sizeof(child), "chain%d", i);
        snprintf(parent, sizeof(parent), "chain%d", i + 1);
        add(tree, child, parent);
        add(tree, "wide", parent);
    }
    tree_lineage(tree, &first, &lineage);
    CHECK_INT(lineage.len, LINEAGE_MAX);
    for (size_t i = 0; i < LINEAGE_MAX; i++) {
        uint64_t nearer = (UINT64_MAX >> (LINEAGE_MAX - 1 - i));

        snprintf(parent, sizeof(parent), "chain%zu", i);
        CHECK_SLICE(lineage.at[i].table, slice_of(parent));
        CHECK(lineage.above[i] == ~nearer);
    }
    tree_lineage(tree, &wide, &lineage);
    CHECK_INT(lineage.len, LINEAGE_MAX);
    CHECK(lineage.above[0] == ~UINT64_C(1));
    tree_free(tree);
}

static void enormous_names(void)
{
    static char name[5000];
    struct tree *tree = tree_new();
    struct relation enormous = {{name, sizeof(name)}, {name, sizeof(name)}};
    struct lineage lineage;

    REQUIRE(tree != NULL);
    memset(name, 'x', sizeof(name));
    tree_lineage(tree, &enormous, &lineage);
    CHECK_INT(lineage.len, 1);
    CHECK_SLICE(lineage.at[0].table, enormous.table);
    tree_free(tree);
}

static void has_a_bound(void)
{
    struct tree *tree = tree_new();
    struct relation root = {slice_of("s"), slice_of("root")};
    char text[32];
    size_t added = 0;
    struct lineage lineage;

    REQUIRE(tree != NULL);
    for (size_t i = 0; i < TREE_MAX + 10; i++) {
        struct relation child = {slice_of("s"), {text, 0}};

        child.table.len = (size_t)snprintf(text, sizeof(text), "part%zu", i);
        added += tree_add(tree, &child, &root) ? 1 : 0;
    }
    CHECK_INT(added, TREE_MAX - 1); /* and the root */
    tree_lineage(tree, &(struct relation){slice_of("s"), slice_of("part77777")}, &lineage);
    CHECK_INT(lineage.len, 2);
    tree_free(tree);
}

static const struct check_test tests[] = {
    {"a table without parents is alone", alone},
    {"all that stands above it, and above that", deep},
    {"several parents", several_parents},
    {"two ways to one table give it once", diamond},
    {"cycles end", cycles},
    {"names are copied, and compared whole", names},
    {"of more than LINEAGE_MAX the nearest are kept", too_long},
    {"names longer than any server's have no parents", enormous_names},
    {"it takes TREE_MAX relations and no more", has_a_bound},
};

CHECK_MAIN(tests)
