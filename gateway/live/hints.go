package live

// HintLeftOut is the advice for an entry of Redis that is left out.
const HintLeftOut = "what it describes is not served: correct the entry, or remove it"

// hintStateDir is the advice for an unwritable state directory.
const hintStateDir = "check that the state directory (--state-dir) is there, is writable and has room"
