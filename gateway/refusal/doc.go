// Package refusal holds everything that the gateway says about an error, in one table: the
// HTTP status, the reasons in the metrics, the meaning for the circuit breaker, and the
// advice for administrators. A new refusal is an error in errors.go and a row in table.go;
// an unwrapped message of a storage is a row in vendors.go. No other code of the gateway
// recognizes errors by their text.
//
// It answers no request and writes no log. It imports only the contract of stores.
package refusal
