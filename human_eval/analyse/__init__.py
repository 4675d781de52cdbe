"""From answers and the key to exclusions, accuracies, agreement, labels, times, contrasts and their conclusion."""
