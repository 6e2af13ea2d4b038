// Package refusal holds what the gateway says about an error, in one table: the
// HTTP status, the reasons in the metrics, what the error means for the circuit
// breaker, and what an administrator can do. A new refusal is an error in
// errors.go and a row in table.go; a storage's text that nothing wraps is a row
// in vendors.go. Nothing else in the gateway recognises an error by its text.
//
// It answers no request and writes no log: it imports of the gateway only the
// contract of stores.
package refusal
