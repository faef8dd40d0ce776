#include "rating/reason.h"

const char *const rating_reason_names[RATING_REASONS] = {
    [RATING_DONE] = "",
    [RATING_UNDECIDED] = "undecided",
    [RATING_FAST_PATH] = "fast_path",
    [RATING_JUDGE] = "judge",
    [RATING_NO_VOTE] = "no_vote",
    [RATING_TOO_FEW_POSITIONS] = "too_few_positions",
    [RATING_NO_QUORUM] = "no_quorum",
    [RATING_NO_PAIRS] = "no_pairs",
    [RATING_DELETED] = "deleted",
    [RATING_UNREADABLE] = "unreadable",
};
