"""What the tables say about the claims of both papers, about the released code's defects, and against the truth.

Everything here follows by stated rules from the CSV files that the tables leave; only the claims, what was published
for them, and the commands are typed in.
"""
