"""One script a revision, in the order of their numbers; a script that was released is never changed."""
