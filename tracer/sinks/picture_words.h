/*
 * picture_words.h - what stands beside the boxes of a picture and in their rows, in words.
 * All return a text of the sketch; 0, the empty one, where there is nothing to say.
 */
#ifndef SINKS_PICTURE_WORDS_H
#define SINKS_PICTURE_WORDS_H

#include "sinks/picture_sketch.h"

/* Whether ASLR placed what a section holds. */
vt_pic_text vt_pic_aslr_note(struct vt_pic_sketch *s, enum vt_pic_section section);

/* What a region alone is called: the last part of its file's name, else its kind. */
vt_pic_text vt_pic_region_name(struct vt_pic_sketch *s, const struct vt_region *region);

/* What stands beside such a row. */
vt_pic_text vt_pic_region_note(struct vt_pic_sketch *s, const struct vt_region *region);

/* "3 images, 12 anon, ...": what cells [low, high) hold, by count, as far as there is room. */
vt_pic_text vt_pic_counts(struct vt_pic_sketch *s, size_t low, size_t high, unsigned room);

/* The same as the name of a row, of whose permissions `same_perm` tells; empty if not all fits. */
vt_pic_text vt_pic_all_counts(struct vt_pic_sketch *s, size_t low, size_t high, bool same_perm);

/* "LC_CTYPE, LC_NUMERIC, ...": the files of these cells, top-down; empty if some have none. */
vt_pic_text vt_pic_files(struct vt_pic_sketch *s, size_t low, size_t high);

#endif
