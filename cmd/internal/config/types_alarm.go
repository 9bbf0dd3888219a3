package config

// Alarms says when a condition is an alarm, and who is told of it.
type Alarms struct {
	Raise    float64   `yaml:"raise_seconds" def:"10" min:"0" max:"3600" doc:"for which a condition holds before it is an alarm that is recorded and told"`
	Clear    float64   `yaml:"clear_seconds" def:"60" min:"0" max:"86400" doc:"for which it is over before the alarm is; one that comes back three times within an hour is held for half an hour"`
	Email    *Email    `yaml:"email" doc:"where mails about alarms go; absent: none are sent"`
	Webhooks []Webhook `yaml:"webhooks" doc:"web services that are told of each alarm"`
}

// Email is how alarms are mailed.
type Email struct {
	Server       string   `yaml:"server" required:"true" pattern:"listen" doc:"host:port of the mail server, such as smtp.example.org:587"`
	TLS          string   `yaml:"tls" def:"starttls" enum:"starttls,implicit,none" doc:"starttls: encryption is asked for and without it nothing is sent; implicit: from the first byte, usually port 465; none: for a server on this machine alone"`
	CAFile       string   `yaml:"ca_file" doc:"PEM file of the authorities that the server's certificate may be of; absent: those of the system; relative to this file"`
	User         string   `yaml:"user" doc:"name for signing in; absent: nobody signs in"`
	PasswordFile string   `yaml:"password_file" doc:"file that holds the password and nothing else; relative to this file"`
	PasswordEnv  string   `yaml:"password_env" pattern:"env" doc:"environment variable that holds it"`
	From         string   `yaml:"from" required:"true" pattern:"mail" doc:"address of the sender"`
	To           []string `yaml:"to" required:"true" doc:"addresses of those who are told"`
	Language     string   `yaml:"language" def:"fr" enum:"fr,en" doc:"language of the mails"`
	Least        string   `yaml:"least" def:"warning" enum:"warning,error" doc:"least severity that is mailed"`
	Gather       float64  `yaml:"gather_seconds" def:"30" min:"0" max:"3600" doc:"for which the first alarm waits for others, to share a mail with them"`
	Between      float64  `yaml:"between_minutes" def:"15" min:"0" max:"1440" doc:"least time between two mails; what happens meanwhile is in the next one"`
}

// Webhook is a web service that is told of alarms.
type Webhook struct {
	URL        string `yaml:"url" required:"true" pattern:"url" doc:"address to which each change of an alarm is posted as JSON"`
	SecretFile string `yaml:"secret_file" doc:"file that holds the secret by which posts are signed, and nothing else; relative to this file"`
	SecretEnv  string `yaml:"secret_env" pattern:"env" doc:"environment variable that holds it"`
	Least      string `yaml:"least" def:"warning" enum:"warning,error" doc:"least severity that is posted"`
}
