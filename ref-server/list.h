/* SPDX-License-Identifier: MIT */
/*
 * list: things in the order in which they came, linked through a node inside of each. A thing is in
 * one list at a time, and leaves it without a search.
 */
#ifndef REF_SERVER_LIST_H
#define REF_SERVER_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The head of a list, and the node in each thing; `of` is the thing, NULL in a head. */
struct list {
    struct list *next, *previous;
    void *of;
};

static inline void list_init(struct list *head)
{
    *head = (struct list){head, head, NULL};
}

static inline void list_append(struct list *head, struct list *node, void *of)
{
    *node = (struct list){head, head->previous, of};
    head->previous->next = node;
    head->previous = node;
}

static inline void list_remove(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

/* The first thing, or NULL. */
static inline void *list_first(const struct list *head)
{
    return head->next->of;
}

/* Walks over all nodes; the body may remove the one in hand. `node` is a name, so it has no parentheses. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define LIST_EACH(node, head)                                                                                \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);                        \
         node = node##_next, node##_next = node->next)
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
