"""A witness: a small process with a key and a folder of its own that signs the histories of logs it has seen only grow.

It speaks C2SP `tlog-witness`. It shares with the rest of Isthmus nothing but how notes, trees and files are written, and
is meant to run where those who run the log have no say.
"""
