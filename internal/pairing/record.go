package pairing

// Record is what Redis keeps, in JSON, until the code is used or expires.
type Record struct {
	// Module is the ID of the module.
	Module string `json:"module"`
	// Sealed are its settings, which the code opens.
	Sealed []byte `json:"sealed"`
}
