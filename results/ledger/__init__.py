"""What the tables say about the claims of both papers, about the released code's defects, and against the truth.

Everything here is worked out from the CSV files that the tables leave, by stated rules; nothing is typed in but the
claims, what was published for them, and the commands.
"""
