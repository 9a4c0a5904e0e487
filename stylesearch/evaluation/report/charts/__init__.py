"""Charts of a study: functions from results to figures. Matplotlib and scikit-learn are loaded here only."""
