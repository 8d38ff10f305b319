"""ESPHome voice devices: Home Assistant Voice, linux-voice-assistant, ESP32 boards (extra `esphome`)."""
