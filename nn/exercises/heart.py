"""Exercises of the notebooks 09 to 11: learning by heart, noise, grokking."""

from nn.exercises.exercise import Exercise

# fmt: off
ROWS = {
    # --- 09, learning by heart --------------------------------------------------------------------
    "09.1": Exercise(
        asks="which pack takes longest to learn?",
        answer="random labels",
        words=("real", "random inputs", "random labels"),
        slips={
            "real cards share a pattern, which makes them the fastest": "real",
            "there is no pattern, but pictures of noise are at least unlike each other":
                "random inputs",
        },
        hints=(
            "In which packs is there nothing that one card tells about another?",
            "Two threes look alike. What if one has to be called 7, the other one 2?",
        ),
        solution='takes_longest = "random labels"',
        wrong={
            'takes_longest = "real"': "real cards share a pattern",
            'takes_longest = "random inputs"': "at least unlike each other",
            'takes_longest = "none"': "expected one of 'real', 'random inputs', 'random labels'",
        },
    ),
    "09.2": Exercise(
        asks="how many of 500 new cards does the net of random labels name right?",
        answer=50.0,
        slips={
            "it is right on its own cards, but these are new": 500.0,
            "that would be a coin with two sides: there are ten digits": 250.0,
            "who guesses is right now and then: how often, of ten digits?": 0.0,
            "that is the share: how many are that of 500?": 0.1,
            "that is the share in percent: how many are that of 500?": 10.0,
        },
        hints=("What it learned says nothing about digits. So it guesses, one of ten.",),
        solution="right_by_luck = 500 / 10",
        wrong={
            "right_by_luck = 500": "but these are new",
            "right_by_luck = 250": "a coin with two sides",
            "right_by_luck = 0": "who guesses is right now and then",
        },
    ),
    "09.3": Exercise(
        asks="how many passes do 300 real cards take, beside 50?",
        answer="about as many",
        words=("fewer", "about as many", "many more"),
        slips={
            "each card helps the others, but there are also more odd ones": "fewer",
            "that would be so if no card helped another: these are real digits": "many more",
        },
        hints=("A net that reads fifty threes: what is there to learn about the next one?",),
        solution='passes_of_300 = "about as many"',
        wrong={
            'passes_of_300 = "fewer"': "each card helps the others",
            'passes_of_300 = "many more"': "if no card helped another",
            'passes_of_300 = "6 times"': "expected one of 'fewer', 'about as many', 'many more'",
        },
    ),
    # --- 10, noise and rest -----------------------------------------------------------------------
    "10.1": Exercise(
        asks="how do the new cards fare, where two of five labels are wrong?",
        answer="up, then down",
        words=("up", "up, then down", "down"),
        slips={
            "as long as it reads, yes; but what is there to learn when it reads?": "up",
            "three labels of five are right: there is something to learn from them": "down",
        },
        hints=(
            "Which is faster to learn, what cards share or what is true of one card alone?",
            "First it learns to read. Then only the wrong labels are left to learn.",
        ),
        solution='new_cards_go = "up, then down"',
        wrong={
            'new_cards_go = "up"': "what is there to learn when it reads?",
            'new_cards_go = "down"': "three labels of five are right",
            'new_cards_go = "nowhere"': "expected one of 'up', 'up, then down', 'down'",
        },
    ),
    "10.2": Exercise(
        asks="what does noise on the front do after the peak?",
        answer="hardly a fall",
        words=("hardly a fall", "the same fall", "a deeper fall"),
        slips={
            "a wrong label stands on a real digit; does noise look like one?": "the same fall",
            "noise is unlike any digit: what is learned about it is not in the way":
                "a deeper fall",
        },
        hints=("Which new card looks like noise?",),
        solution='after_the_peak = "hardly a fall"',
        wrong={
            'after_the_peak = "the same fall"': "does noise look like one?",
            'after_the_peak = "a deeper fall"': "noise is unlike any digit",
            'after_the_peak = "a rise"': "expected one of 'hardly a fall'",
        },
    ),
    "10.3": Exercise(
        asks="whose cards are more often critical?",
        answer="noisy",
        words=("real", "noisy", "both alike"),
        slips={
            "it learned what digits share; where would it draw a line through a three?": "real",
            "one of them has learned single cards by heart: what lies around each?": "both alike",
        },
        hints=("A card learned by heart needs a border of its own around it.",),
        solution='more_critical = "noisy"',
        wrong={
            'more_critical = "real"': "it learned what digits share",
            'more_critical = "both alike"': "single cards by heart",
            "more_critical = 0.05": "expected one of 'real', 'noisy', 'both alike'",
        },
    ),
    # --- 11, grokking -----------------------------------------------------------------------------
    "11.1": Exercise(
        asks="20 + 9 on a clock of 23 hours",
        answer=6.0,
        slips={
            "past 23 the clock begins anew": 29.0,
            "the hour 23 is the hour 0: no hour is left out": 7.0,
            "a clock of 12 hours would say so": 5.0,
        },
        hints=("29 is 23 and some more.",),
        solution="hour = (20 + 9) % 23",
        wrong={
            "hour = 20 + 9": "past 23 the clock begins anew",
            "hour = 7": "no hour is left out",
            "hour = 5": "a clock of 12 hours",
        },
    ),
    "11.2": Exercise(
        asks="all seen sums are right: what of the others then?",
        answer="mostly wrong",
        words=("mostly wrong", "half right", "mostly right"),
        slips={
            "it knows the seen ones by heart: that says little about the others": "half right",
            "it would be if it had understood; it only knows the seen ones by now": "mostly right",
        },
        hints=("Remember the net of random labels in notebook 09.",),
        solution='others_are = "mostly wrong"',
        wrong={
            'others_are = "half right"': "says little about the others",
            'others_are = "mostly right"': "if it had understood",
            'others_are = "wrong"': "expected one of 'mostly wrong', 'half right', 'mostly right'",
        },
    ),
    "11.3": Exercise(
        asks="when does it understand without weight decay?",
        answer="never",
        words=("sooner", "as soon", "later", "never"),
        slips={
            "what would push it on, once the seen sums are right?": "sooner",
            "something pushes the weights until a cheaper way is found: without it?": "as soon",
            "with less of it later, yes; but without any nothing pushes": "later",
        },
        hints=("When all seen sums are right, their loss is nearly 0. What else moves a weight?",),
        solution='without_decay = "never"',
        wrong={
            'without_decay = "sooner"': "what would push it on",
            'without_decay = "as soon"': "until a cheaper way is found",
            'without_decay = "later"': "without any nothing pushes",
        },
    ),
}
# fmt: on
