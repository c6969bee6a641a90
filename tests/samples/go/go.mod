module prosa-sample

go 1.19
