"""Where tasks, models and analyses meet: runs, trials, reports, mains."""
