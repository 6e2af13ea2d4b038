// Package runs shows the outcomes of runs: "gatewayctl status" with one line for each
// module of a schedule and a verdict on top, and "gatewayctl runs", the history.
package runs
