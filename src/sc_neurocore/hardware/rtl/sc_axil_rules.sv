// Rules of sc_axil, as assertions for simulation and formal verification.
module sc_axil_rules (
    input wire clk,
    input wire rst,
    input wire awvalid,
    input wire awready,
    input wire wvalid,
    input wire wready,
    input wire [3:0] wstrb,
    input wire bvalid,
    input wire bready,
    input wire [1:0] bresp,
    input wire arvalid,
    input wire arready,
    input wire rvalid,
    input wire rready,
    input wire [31:0] rdata,
    input wire [1:0] rresp,
    input wire write,
    input wire write_error,
    input wire read,
    input wire read_ready,
    input wire read_error,
    input wire [31:0] read_data
);
    reg started = 1'b0;                      // the rules hold from the first reset on
    reg write_owed = 1'b0, read_owed = 1'b0; // requests without a response
    reg write_fails = 1'b0, read_fails = 1'b0;
    reg [31:0] owed_data = 32'd0;
    always @(posedge clk) begin
        if (rst) nothing_in_reset: assert (!awready && !wready && !arready && !bvalid && !rvalid && !write && !read);
        if (started && !rst) begin
            address_with_data: assert (awready == wready && (!awready || (awvalid && wvalid)));
            every_write_accepted: assert (awready == (awvalid && wvalid && !write_owed));
            every_read_accepted: assert (arready == (arvalid && read_ready && !read_owed));
            only_whole_words: assert (write == (awready && wstrb == 4'b1111));
            reads_once: assert (read == arready);
            write_answered: assert (bvalid == write_owed);
            read_answered: assert (rvalid == read_owed);
            if (bvalid) write_response_kept: assert (bresp == {write_fails, 1'b0});
            if (rvalid) read_response_kept: assert (rresp == {read_fails, 1'b0});
            if (rvalid) data_kept: assert (rdata == owed_data);
        end
        started <= started || rst;
        write_owed <= !rst && (write_owed ? !bready : awvalid && awready);
        read_owed <= !rst && (read_owed ? !rready : arvalid && arready);
        if (awvalid && awready) write_fails <= write_error || wstrb != 4'b1111;
        if (arvalid && arready) begin
            read_fails <= read_error;
            owed_data <= read_error ? 32'd0 : read_data;
        end
    end
endmodule
