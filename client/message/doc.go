// Package message makes what people are told: a verdict and sections of rows become a
// subject, a text and a page of HTML that read well on a phone. It knows neither where
// the facts come from nor how a message is sent.
//
// Names and errors are other people's words. A [Cleaner] keeps secrets and what could be
// taken for a header or markup out of them.
package message
