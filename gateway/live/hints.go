package live

// HintLeftOut is what to do about an entry of Redis that is left out.
const HintLeftOut = "what it describes is not served: correct the entry, or remove it"

// hintStateDir is what to do where the state directory cannot be written.
const hintStateDir = "check that the state directory (--state-dir) is there, is writable and has room"
