#include "provider/scripted_voice.h"

// NOLINTBEGIN(bugprone-suspicious-missing-comma): long sentences stand on two lines
const struct scripted_voice scripted_voices[SCRIPTED_PERSONAS] = {
    {
        .name = "an advocate",
        .side = 0,
        .confidence_ppm = 800000,
        .severity_ppm = 400000,
        .sentences =
            {"The gain is concrete and can be had early, while the cost is known and bounded.",
             "Waiting has a price as well: the same work comes later, with less room to correct "
             "it.",
             "Comparable efforts have gone this way, and what they learned can be reused.",
             "The first step can be taken back, so a mistake in it stays small.",
             "What is still open can be settled on the way, with facts instead of guesses."},
        .claims = {"The expected gain is larger than the cost of trying.",
                   "The first step can be undone cheaply."},
        .problem = "It weighs the risk of acting and leaves out the cost of not acting.",
        .why = "A choice is compared with its alternative, and standing still is one too.",
        .fix = "State what is lost by waiting, and compare the two.",
        .accepts = "The point is fair and the answer is clearer with it.",
        .rejects = "This was taken into account; the gain outweighs it.",
    },
    {
        .name = "a sceptic",
        .side = 1,
        .confidence_ppm = 700000,
        .severity_ppm = 700000,
        .sentences =
            {"The evidence offered so far shows that it is possible, not that it pays.",
             "The strongest argument in favour rests on an assumption that nobody has tested.",
             "When such plans fail, they fail at the step that was described in one sentence.",
             "A smaller question, answered well, would tell us more than this one.",
             "I would change my mind for one measured result under realistic conditions."},
        .claims = {"The main assumption in favour has not been tested.",
                   "The benefit has been asserted, not measured."},
        .problem =
            "The central claim is asserted without evidence that would tell it from a guess.",
        .why = "If that claim is false the conclusion falls, and nothing said here would show it.",
        .fix = "Name an observation that would refute the claim, and look for it.",
        .accepts = "I checked the point and it holds; I had missed it.",
        .rejects = "The item names no evidence that bears on the answer.",
    },
    {
        .name = "a pragmatist",
        .side = 0,
        .confidence_ppm = 750000,
        .severity_ppm = 600000,
        .sentences =
            {"What decides is who does the work and what they can keep running afterwards.",
             "A limited trial with an end date costs little and answers most of the doubts.",
             "Two or three figures, agreed beforehand, are enough to tell success from failure.",
             "The details that are argued about most matter least in the first month.",
             "If the trial disappoints, stopping must be as easy as starting was."},
        .claims = {"A limited trial answers the open points at little cost.",
                   "Success can be defined by a few figures beforehand."},
        .problem = "It argues in principle and does not say what would be done first, and by whom.",
        .why = "An answer that cannot be acted upon leaves the reader where he was.",
        .fix = "Give the first step, its owner and the figure that ends or extends it.",
        .accepts = "That is a practical gap, and closing it improves the answer.",
        .rejects = "It would not change what is done first, so the answer stands.",
    },
    {
        .name = "a risk officer",
        .side = 1,
        .open = true,
        .confidence_ppm = 650000,
        .severity_ppm = 550000,
        .sentences =
            {"The worst case deserves more attention than the likely one, because it cannot be "
             "undone.",
             "Responsibility has to be clear before anything starts, not after something happened.",
             "A safeguard that has never been exercised should be counted as absent.",
             "Those who carry the risk are not the same as those who have the gain.",
             "With a tested way back, and a limit on the damage, the balance would change."},
        .claims = {"The worst case cannot be undone.", "No tested safeguard limits the damage."},
        .problem = "The worst case is not described, so its likelihood and its size stay unknown.",
        .why = "Rare and irreversible damage does not show in an average.",
        .fix = "Describe the worst case, who bears it, and what limits it.",
        .accepts =
            "The item is right: with a tested way back the risk is bounded, and that decides it.",
        .rejects = "The item does not touch the worst case, on which the answer rests.",
    },
};
// NOLINTEND(bugprone-suspicious-missing-comma)
