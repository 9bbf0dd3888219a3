package district

import "time"

// QuietHours are standing hours in which devices are not to be heard: what is configured, beside what people order.
type QuietHours struct {
	From, To string         // local time "22:00"; To not after From: on the next day; both the same: a whole day
	Days     []time.Weekday // on which the hours begin; none: every day
	AtMostKW float64        // that a device may take meanwhile; 0: off
	Kinds    []Kind         // of a site: the devices that it is about; none: every heat pump, water heater and charger
	Reason   string
}

// Hushed are the kinds of devices that have quiet hours.
func Hushed() []Kind { return []Kind{HeatPump, WaterHeater, EVCharger} }
