/* SPDX-License-Identifier: MIT */
/*
 * list: things in the order in which they came, linked through a node inside of each. A thing is in
 * one list at a time, and leaves it without a search.
 */
#ifndef REF_SERVER_LIST_H
#define REF_SERVER_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The head of a list, and the node in each thing. */
struct list {
    struct list *next, *previous;
};

static inline void list_init(struct list *head)
{
    *head = (struct list){head, head};
}

/* Of a node: whether it is in no list. */
static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_append(struct list *head, struct list *node)
{
    *node = (struct list){head, head->previous};
    head->previous->next = node;
    head->previous = node;
}

static inline void list_remove(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

/* NOLINTBEGIN(bugprone-macro-parentheses): types and names have none */

/* The thing of `type` whose `member` the node is. */
#define LIST_OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* The first thing, or NULL. */
#define LIST_FIRST(head, type, member) (list_is_empty(head) ? NULL : LIST_OF((head)->next, type, member))

/* Walks over all nodes; the body may remove the one in hand. */
#define LIST_EACH(node, head)                                                                                \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);                        \
         node = node##_next, node##_next = node->next)

/* NOLINTEND(bugprone-macro-parentheses) */

#endif
