// Package message renders messages to people: a verdict and sections of rows become a
// subject, a text and an HTML page that reads well on a phone. It neither collects the
// facts nor sends the message.
//
// Names and errors in a message come from outside. A [Cleaner] removes secrets, and escapes
// what could pass for a header or markup.
package message
