/* The voices of scripted replies: who speaks, and the sentences they have. Used by
 * scripted_reply.c alone. */
#ifndef ARAGORA_PROVIDER_SCRIPTED_VOICE_H
#define ARAGORA_PROVIDER_SCRIPTED_VOICE_H

#include "provider/scripted_reply.h"

enum { VOICE_SENTENCES = 5 };

struct scripted_voice {
  const char *name;
  int side;  /* 0 or 1: which of the question's two keys it begins with */
  bool open; /* gives in to a grave criticism */
  int64_t confidence_ppm;
  int64_t severity_ppm;                   /* of its critiques */
  const char *sentences[VOICE_SENTENCES]; /* reasons that fit any question */
  const char *claims[2];
  const char *problem, *why, *fix; /* of a critique */
  const char *accepts, *rejects;   /* reasons in a revision */
};

extern const struct scripted_voice scripted_voices[SCRIPTED_PERSONAS];

#endif
