// Package runs shows what planned runs came to: "gatewayctl status", one line for each
// module of a schedule with a verdict on top, and "gatewayctl runs", the history.
package runs
