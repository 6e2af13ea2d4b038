// Package notify tells people how the backups are: "gatewayctl notify".
//
// A pass compares what is with what people were told last, which is in a file of the node.
// What fails and what works again goes into one message, at once; what changes all the time
// is told once, until it is steady. A digest goes out when it is due. Messages wait in the
// outbox until each channel has taken them. A pass that is killed, or run twice, tells
// nothing twice.
//
// "gatewayctl scheduler" makes a pass each minute, or a timer of systemd does, and so does
// each run of a schedule at its end.
package notify
